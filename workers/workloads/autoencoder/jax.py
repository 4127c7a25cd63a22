"""An autoencoder with tied weights in JAX, as functions of its weights."""

import jax.numpy as jnp
from jax import Array, nn

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights = weights

    def __call__(self, x: Array) -> Array:
        w = self.weights
        z = nn.relu(x @ w["W_0"].T + w["b_0"]) @ w["W_1"].T + w["b_1"]
        return nn.relu(z @ w["W_1"] + w["c_1"]) @ w["W_0"] + w["c_0"]

    def loss(self, x: Array) -> Array:
        return jnp.mean(jnp.square(self(x) - x))
