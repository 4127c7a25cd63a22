"""One step of a recurrent network in JAX, as functions of its weights."""

import jax.numpy as jnp
from jax import Array

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights = weights

    def __call__(self, x: Array, prev_h: Array) -> Array:
        h2h = self.weights["W_h"] @ prev_h.T
        i2h = self.weights["W_x"] @ x.T
        return jnp.tanh(h2h + i2h)

    def loss(self, x: Array, prev_h: Array) -> Array:
        return jnp.sum(self(x, prev_h))
