"""One step of a generative transformer in JAX, as functions of its weights.

Compiled, every shape is fixed: the first call makes room for all steps, and each call attends to the whole room, with a
mask over what comes later. Outside of jit the cache grows by concatenation.
"""

import jax.numpy as jnp
from jax import Array, lax, nn
from jax.core import Tracer

from workers.interfaces import Parameters
from workers.workloads.gpt.jax import Transformer


class Model(Transformer):
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        super().__init__(parameters, weights)
        self.steps = parameters["steps"]

    def __call__(self, tokens: Array, keys: Array, values: Array, place: Array | None = None) -> tuple[Array, ...]:
        is_compiled, new = isinstance(tokens, Tracer), tokens.shape[1]
        if place is None:
            place = jnp.asarray(keys.shape[3])
            room = [*[(0, 0)] * 3, (0, new + self.steps - 1 if is_compiled else 0), (0, 0)]
            keys, values = jnp.pad(keys, room), jnp.pad(values, room)
        x = self.weights["E"][tokens] + lax.dynamic_slice_in_dim(self.weights["P"], place, new)
        made = []
        for block in range(self.layers):
            each = self.linear(self.norm(x, f"_{block}_0"), f"_{block}_qkv")
            q, k, v = jnp.moveaxis(each.reshape(*tokens.shape, 3, self.heads, -1), (2, 3), (0, 2))
            cache = (extend(keys[block], k, place), extend(values[block], v, place))
            made.append(cache)
            x = x + self.linear(self.look(q, *cache, place), f"_{block}_o")
            inner = self.linear(self.norm(x, f"_{block}_1"), f"_{block}_1")
            x = x + self.linear(nn.gelu(inner, approximate=True), f"_{block}_2")
        scores = self.norm(x[:, -1], "") @ self.weights["E"].T
        longer_keys, longer_values = map(jnp.stack, zip(*made, strict=True))
        return scores, jnp.argmax(scores, axis=1, keepdims=True), longer_keys, longer_values, place + new

    def look(self, q: Array, keys: Array, values: Array, place: Array) -> Array:
        batch, heads, new, width = q.shape
        scores = jnp.einsum("bhqw,bhkw->bhqk", q, keys) * width**-0.5
        is_seen = jnp.arange(keys.shape[2]) <= place + jnp.arange(new)[:, None]
        seen = jnp.einsum("bhqk,bhkw->bqhw", nn.softmax(jnp.where(is_seen, scores, -jnp.inf)), values)
        return seen.reshape(batch, new, heads * width)


def extend(cache: Array, new: Array, place: Array) -> Array:
    if isinstance(new, Tracer):
        return lax.dynamic_update_slice_in_dim(cache, new, place, axis=2)
    return jnp.concatenate([cache, new], axis=2)
