"""One step of a recurrent network in JAX: a tree of weights, and functions of it."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array


class Model(NamedTuple):
    weights: dict[str, Array]

    def __call__(self, x: Array, prev_h: Array) -> Array:
        h2h = self.weights["W_h"] @ prev_h.T
        i2h = self.weights["W_x"] @ x.T
        return jnp.tanh(h2h + i2h)

    def loss(self, x: Array, prev_h: Array) -> Array:
        return jnp.sum(self(x, prev_h))
