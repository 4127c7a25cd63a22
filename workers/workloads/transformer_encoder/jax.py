"""The encoder of a transformer in JAX, as functions of its weights."""

import jax.numpy as jnp
from jax import Array, nn

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights, self.layers, self.heads = weights, parameters["layers"], parameters["heads"]

    def __call__(self, x: Array, labels: Array) -> Array:
        for block in range(self.layers):
            x = x + self.linear(self.attention(self.norm(x, f"_{block}_0"), block), f"_{block}_o")
            inner = self.linear(self.norm(x, f"_{block}_1"), f"_{block}_1")
            x = x + self.linear(nn.gelu(inner, approximate=False), f"_{block}_2")
        return self.linear(jnp.mean(self.norm(x, ""), axis=1), "")

    def attention(self, x: Array, block: int) -> Array:
        batch, length, width = x.shape
        each = self.linear(x, f"_{block}_qkv").reshape(batch, length, 3, self.heads, -1)
        q, k, v = jnp.moveaxis(each, 2, 0)
        shares = nn.softmax(jnp.einsum("bqhw,bkhw->bhqk", q, k) * q.shape[-1] ** -0.5)
        return jnp.einsum("bhqk,bkhw->bqhw", shares, v).reshape(batch, length, width)

    def norm(self, x: Array, name: str) -> Array:
        standard = nn.standardize(x, axis=-1, epsilon=1e-5)
        return standard * self.weights[f"gain{name}"] + self.weights[f"shift{name}"]

    def linear(self, x: Array, name: str) -> Array:
        return x @ self.weights[f"W{name}"].T + self.weights[f"b{name}"]

    def loss(self, x: Array, labels: Array) -> Array:
        log_p = nn.log_softmax(self(x, labels))
        return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], axis=1))
