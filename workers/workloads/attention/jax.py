"""One layer of self-attention in JAX, as a function of its weights."""

import jax.numpy as jnp
from jax import Array, nn

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights, self.heads = weights, parameters["heads"]

    def __call__(self, x: Array) -> Array:
        batch, length, width = x.shape
        each = (x @ self.weights["W"].T + self.weights["b"]).reshape(batch, length, 3, self.heads, -1)
        q, k, v = jnp.moveaxis(each, 2, 0)
        shares = nn.softmax(jnp.einsum("bqhw,bkhw->bhqk", q, k) * q.shape[-1] ** -0.5)
        return jnp.einsum("bhqk,bkhw->bqhw", shares, v).reshape(batch, length, width)

    def loss(self, x: Array) -> Array:
        return jnp.mean(jnp.square(self(x)))
