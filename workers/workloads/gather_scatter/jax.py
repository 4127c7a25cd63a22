"""Rows of a table, gathered by indices and summed into bins, in JAX, as functions of the table."""

import jax.numpy as jnp
from jax import Array
from jax.ops import segment_sum

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.bins, self.pairs = parameters["bins"], parameters["pairs"]
        self.weights = weights

    def __call__(self, pairs: Array, bins: Array) -> Array:
        rows = self.weights["table"][pairs]
        return segment_sum(rows[:, 0] * rows[:, 1], bins, num_segments=self.bins)

    def loss(self, pairs: Array, bins: Array) -> Array:
        return jnp.sum(jnp.square(self(pairs, bins))) / (pairs.shape[0] // self.pairs)
