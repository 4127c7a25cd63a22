"""One step of a decoder in JAX.

Compiled, every shape is fixed: the first call makes room for all steps, and each call attends to the whole room, with a
mask over the part that is still empty. Outside of jit the cache grows by concatenation.
"""

import jax.numpy as jnp
from jax import Array, lax
from jax.core import Tracer

from workers.workloads.decode.jax import Decoder


class Model(Decoder):
    def __call__(self, tokens: Array, keys: Array, values: Array, place: Array | None = None) -> tuple[Array, ...]:
        x, new = self.weights["E"][tokens], tokens.shape[1]
        made = x @ self.weights["W_k"].T, x @ self.weights["W_v"].T
        if not isinstance(tokens, Tracer):
            keys, values = (jnp.concatenate(pair, axis=1) for pair in zip((keys, values), made, strict=True))
            scores = self.scores(x[:, -1], keys, values)
            return scores, jnp.argmax(scores, axis=1, keepdims=True), keys, values
        if place is None:
            place = jnp.asarray(keys.shape[1])
            room = [(0, 0), (0, new + self.steps - 1), (0, 0)]
            keys, values = jnp.pad(keys, room), jnp.pad(values, room)
        keys, values = (
            lax.dynamic_update_slice_in_dim(cache, each, place, axis=1)
            for cache, each in zip((keys, values), made, strict=True)
        )
        scores = self.scores(x[:, -1], keys, values, jnp.arange(keys.shape[1]) < place + new)
        return scores, jnp.argmax(scores, axis=1, keepdims=True), keys, values, place + new
