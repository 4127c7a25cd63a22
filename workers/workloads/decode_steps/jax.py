"""One step of a decoder in JAX.

Compiled, every shape is fixed: the first call makes room for all steps, and each call attends to the whole room, with a
mask over the part that is still empty. Outside of jit the cache grows by concatenation.
"""

import jax.numpy as jnp
from jax import Array, lax, nn
from jax.core import Tracer

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights = weights
        self.steps = parameters["steps"]

    def __call__(self, tokens: Array, keys: Array, values: Array, place: Array | None = None) -> tuple[Array, ...]:
        x = self.weights["E"][tokens]
        made = x @ self.weights["W_k"].T, x @ self.weights["W_v"].T
        if not isinstance(tokens, Tracer):
            keys, values = (jnp.concatenate(pair, axis=1) for pair in zip((keys, values), made, strict=True))
            return *self.pick(x[:, -1], keys, values, None), keys, values
        if place is None:
            place = jnp.asarray(keys.shape[1])
            room = [(0, 0), (0, tokens.shape[1] + self.steps - 1), (0, 0)]
            keys, values = jnp.pad(keys, room), jnp.pad(values, room)
        keys, values = (
            lax.dynamic_update_slice_in_dim(cache, new, place, axis=1)
            for cache, new in zip((keys, values), made, strict=True)
        )
        place = place + tokens.shape[1]
        return *self.pick(x[:, -1], keys, values, jnp.arange(keys.shape[1]) < place), keys, values, place

    def pick(self, x: Array, keys: Array, values: Array, is_filled: Array | None) -> tuple[Array, Array]:
        looks = jnp.einsum("bnw,bw->bn", keys, x @ self.weights["W_q"].T) / x.shape[1] ** 0.5
        seen = jnp.einsum("bn,bnw->bw", nn.softmax(looks, where=is_filled), values)
        scores = (x + seen @ self.weights["W_o"].T) @ self.weights["U"].T
        return scores, jnp.argmax(scores, axis=1, keepdims=True)
