"""A plain static network in JAX: a tree of weights, and functions of it."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, nn


class Model(NamedTuple):
    weights: dict[str, Array]

    def __call__(self, x: Array) -> Array:
        last = len(self.weights) // 2 - 1
        for layer in range(last + 1):
            x = x @ self.weights[f"W_{layer}"].T + self.weights[f"b_{layer}"]
            if layer < last:
                x = nn.relu(x)
        return x

    def loss(self, x: Array) -> Array:
        return jnp.mean(jnp.square(self(x)))
