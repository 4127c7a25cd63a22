"""A decoder that generates one token at a time, in JAX.

Compiled, every shape is fixed: the cache has room for all steps from the beginning, and each step attends to all of it,
with a mask over the part that is still empty. Outside of jit the cache grows by concatenation.
"""

import jax.numpy as jnp
from jax import Array, lax, nn
from jax.core import Tracer

from workers.interfaces import Parameters

# The current token, and the cache of keys and values.
State = tuple[Array, Array, Array]


class Decoder:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights = weights
        self.steps = parameters["steps"]

    def looked_up(self, token: Array) -> tuple[Array, Array, Array]:
        x = self.weights["E"][token]
        return x, (x @ self.weights["W_k"].T)[:, None], (x @ self.weights["W_v"].T)[:, None]

    def scores(self, x: Array, keys: Array, values: Array, is_filled: Array | None = None) -> Array:
        looks = jnp.einsum("bnw,bw->bn", keys, x @ self.weights["W_q"].T) / x.shape[1] ** 0.5
        shares = nn.softmax(looks, where=is_filled)
        seen = jnp.einsum("bn,bnw->bw", shares, values)
        return (x + seen @ self.weights["W_o"].T) @ self.weights["U"].T


class Model(Decoder):
    def __call__(self, prompt: Array) -> Array:
        x = self.weights["E"][prompt[:, :-1]]
        keys, values = x @ self.weights["W_k"].T, x @ self.weights["W_v"].T
        if isinstance(prompt, Tracer):
            return self.scanned(prompt[:, -1], keys, values)
        token, made = prompt[:, -1], []
        for _ in range(self.steps):
            x, key, value = self.looked_up(token)
            keys, values = jnp.concatenate([keys, key], axis=1), jnp.concatenate([values, value], axis=1)
            made.append(self.scores(x, keys, values))
            token = jnp.argmax(made[-1], axis=1)
        return jnp.stack(made)

    def scanned(self, token: Array, keys: Array, values: Array) -> Array:
        filled = keys.shape[1]

        def step(state: State, place: Array) -> tuple[State, Array]:
            token, keys, values = state
            x, key, value = self.looked_up(token)
            keys = lax.dynamic_update_slice_in_dim(keys, key, place, axis=1)
            values = lax.dynamic_update_slice_in_dim(values, value, place, axis=1)
            scores = self.scores(x, keys, values, jnp.arange(keys.shape[1]) <= place)
            return (jnp.argmax(scores, axis=1).astype(token.dtype), keys, values), scores

        room = [(0, 0), (0, self.steps), (0, 0)]
        state = (token, jnp.pad(keys, room), jnp.pad(values, room))
        return lax.scan(step, state, jnp.arange(filled, filled + self.steps))[1]

    def loss(self, prompt: Array) -> Array:
        scores = self(prompt)
        return jnp.mean(nn.logsumexp(scores, axis=2) - jnp.max(scores, axis=2))
