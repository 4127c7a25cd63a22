"""Reductions along both axes of a matrix in JAX, as functions of its weight."""

import jax.numpy as jnp
from jax import Array

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights = weights

    def __call__(self, x: Array) -> tuple[Array, Array]:
        square = jnp.square(x - self.weights["centre"])
        return jnp.mean(square, axis=0), jnp.max(square, axis=-1)

    def loss(self, x: Array) -> Array:
        means, largest = self(x)
        return jnp.sum(means) + jnp.mean(largest)
