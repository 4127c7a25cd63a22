"""An LSTM language model in JAX: a scan over the steps when it is compiled, and a loop in Python when it is not."""

import jax.numpy as jnp
from jax import Array, lax, nn
from jax.core import Tracer

from workers.interfaces import Parameters

State = tuple[Array, Array]


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights = weights

    def __call__(self, tokens: Array) -> Array:
        w = self.weights

        def cell(state: State, driven: Array) -> tuple[State, Array]:
            h, c = state
            i, f, g, o = jnp.split(driven + h @ w["W_h"].T, 4, axis=1)
            c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
            h = nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        driven = w["E"][tokens[:-1]] @ w["W_x"].T + w["b"]
        zeros = jnp.zeros((tokens.shape[1], w["W_h"].shape[1]), driven.dtype)
        if isinstance(tokens, Tracer):
            states = lax.scan(cell, (zeros, zeros), driven)[1]
        else:
            state, made = (zeros, zeros), []
            for step in driven:
                state, h = cell(state, step)
                made.append(h)
            states = jnp.stack(made)
        return states @ w["W_o"].T + w["b_o"]

    def loss(self, tokens: Array) -> Array:
        logarithms = nn.log_softmax(self(tokens))
        return -jnp.mean(jnp.take_along_axis(logarithms, tokens[1:, :, None], axis=2))
