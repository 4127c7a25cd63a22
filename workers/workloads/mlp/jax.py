"""A plain static network in JAX, as functions of its weights."""

import jax.numpy as jnp
from jax import Array, nn

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights = weights

    def __call__(self, x: Array) -> Array:
        last = len(self.weights) // 2 - 1
        for layer in range(last + 1):
            x = x @ self.weights[f"W_{layer}"].T + self.weights[f"b_{layer}"]
            if layer < last:
                x = nn.relu(x)
        return x

    def loss(self, x: Array) -> Array:
        return jnp.mean(jnp.square(self(x)))
