"""A bidirectional LSTM that tags the tokens of sequences of varying length, in JAX.

A scan over the steps when it is compiled, and a loop in Python when it is not. For the second direction, each sequence
is reversed up to its end, and its states are reversed back. States beyond the ends are set to zero.
"""

import jax.numpy as jnp
from jax import Array, lax, nn
from jax.core import Tracer

from workers.interfaces import Parameters

State = tuple[Array, Array]


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights = weights

    def __call__(self, tokens: Array, lengths: Array, tags: Array) -> Array:
        x = self.weights["E"][tokens]
        ahead = self.lstm(x, "ahead", isinstance(tokens, Tracer))
        back = turned(self.lstm(turned(x, lengths), "back", isinstance(tokens, Tracer)), lengths)
        both = jnp.where(real(tokens, lengths)[:, :, None], jnp.concatenate([ahead, back], axis=2), 0)
        return both @ self.weights["W_o"].T + self.weights["b_o"]

    def lstm(self, x: Array, direction: str, is_compiled: bool) -> Array:
        W_x, W_h, b = (self.weights[f"{name}_{direction}"] for name in ("W_x", "W_h", "b"))

        def cell(state: State, driven: Array) -> tuple[State, Array]:
            h, c = state
            i, f, g, o = jnp.split(driven + h @ W_h.T, 4, axis=1)
            c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
            h = nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[1], W_h.shape[1]), x.dtype)
        driven, state = x @ W_x.T + b, (zeros, zeros)
        if is_compiled:
            return lax.scan(cell, state, driven)[1]
        states = []
        for step in driven:
            state, h = cell(state, step)
            states.append(h)
        return jnp.stack(states)

    def loss(self, tokens: Array, lengths: Array, tags: Array) -> Array:
        logarithms = nn.log_softmax(self(tokens, lengths, tags))
        each = -jnp.take_along_axis(logarithms, tags[:, :, None], axis=2)[:, :, 0]
        return jnp.sum(jnp.where(real(tokens, lengths), each, 0)) / jnp.sum(lengths)


def turned(values: Array, lengths: Array) -> Array:
    steps = jnp.arange(len(values))[:, None]
    places = jnp.where(steps < lengths, lengths - 1 - steps, steps)
    return jnp.take_along_axis(values, places[:, :, None], axis=0)


def real(tokens: Array, lengths: Array) -> Array:
    return jnp.arange(len(tokens))[:, None] < lengths
