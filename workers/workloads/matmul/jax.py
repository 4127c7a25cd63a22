"""One matrix product in JAX, as functions of its weight."""

import jax.numpy as jnp
from jax import Array

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights = weights

    def __call__(self, x: Array) -> Array:
        return x @ self.weights["W"]

    def loss(self, x: Array) -> Array:
        return jnp.mean(jnp.square(self(x)))
