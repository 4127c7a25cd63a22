"""A generative transformer in JAX, as functions of its weights."""

import jax.numpy as jnp
from jax import Array, nn

from workers.interfaces import Parameters


class Transformer:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights, self.layers, self.heads = weights, parameters["layers"], parameters["heads"]

    def norm(self, x: Array, name: str) -> Array:
        standard = nn.standardize(x, axis=-1, epsilon=1e-5)
        return standard * self.weights[f"gain{name}"] + self.weights[f"shift{name}"]

    def linear(self, x: Array, name: str) -> Array:
        return x @ self.weights[f"W{name}"].T + self.weights[f"b{name}"]


class Model(Transformer):
    def __call__(self, tokens: Array) -> Array:
        x = self.weights["E"][tokens[:, :-1]] + self.weights["P"]
        for block in range(self.layers):
            x = x + self.linear(self.attention(self.norm(x, f"_{block}_0"), block), f"_{block}_o")
            inner = self.linear(self.norm(x, f"_{block}_1"), f"_{block}_1")
            x = x + self.linear(nn.gelu(inner, approximate=True), f"_{block}_2")
        return self.norm(x, "") @ self.weights["E"].T

    def attention(self, x: Array, block: int) -> Array:
        batch, length, width = x.shape
        each = self.linear(x, f"_{block}_qkv").reshape(batch, length, 3, self.heads, -1)
        q, k, v = jnp.moveaxis(each, 2, 0)
        scores = jnp.einsum("bqhw,bkhw->bhqk", q, k) * q.shape[-1] ** -0.5
        shares = nn.softmax(jnp.where(jnp.tri(length, dtype=bool), scores, -jnp.inf))
        return jnp.einsum("bhqk,bkhw->bqhw", shares, v).reshape(batch, length, width)

    def loss(self, tokens: Array) -> Array:
        log_p = nn.log_softmax(self(tokens))
        return -jnp.mean(jnp.take_along_axis(log_p, tokens[:, 1:, None], axis=2))
