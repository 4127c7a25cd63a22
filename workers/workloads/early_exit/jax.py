"""A recurrent block that is repeated until its halting scores add up to 1, in JAX.

Compiled, the forward pass is a while loop. JAX cannot differentiate it in reverse, because it does not know how many
steps to store. The loss is therefore a scan over the maximum number of steps, in which a condition skips those that are
not needed. A skipped step costs an iteration and its memory, but no arithmetic. Outside of jit the loop runs in Python.
"""

import jax.numpy as jnp
from jax import Array, lax, nn
from jax.core import Tracer

from workers.interfaces import Parameters

# The last state, the mean of all states, and the sum of the scores.
State = tuple[Array, Array, Array]


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array]) -> None:
        self.weights = weights
        self.maximum = parameters["maximum"]

    def step(self, driven: Array, state: State) -> State:
        h, mean, total = state
        h = jnp.tanh(driven + h @ self.weights["W_h"].T)
        score = nn.sigmoid(jnp.mean(h @ self.weights["w_p"].T + self.weights["b_p"]))
        return h, mean + jnp.minimum(score, 1 - total) * h, total + score

    def begin(self, x: Array) -> tuple[Array, State]:
        driven = x @ self.weights["W_x"].T + self.weights["b"]
        return driven, (jnp.zeros_like(driven), jnp.zeros_like(driven), jnp.zeros((), x.dtype))

    def __call__(self, x: Array) -> Array:
        driven, state = self.begin(x)
        if isinstance(x, Tracer):
            _, (_, mean, _) = lax.while_loop(
                lambda turn: (turn[1][2] < 1) & (turn[0] < self.maximum),
                lambda turn: (turn[0] + 1, self.step(driven, turn[1])),
                (0, state),
            )
            return mean
        steps = 0
        while state[2] < 1 and steps < self.maximum:
            state, steps = self.step(driven, state), steps + 1
        return state[1]

    def bounded(self, x: Array) -> Array:
        """Compute the same in a form that can be differentiated when it is compiled."""
        driven, state = self.begin(x)

        def turn(state: State, _: None) -> tuple[State, None]:
            return lax.cond(state[2] < 1, lambda state: self.step(driven, state), lambda state: state, state), None

        (_, mean, _), _ = lax.scan(turn, state, length=self.maximum)
        return mean

    def loss(self, x: Array) -> Array:
        return jnp.mean(jnp.square(self.bounded(x) if isinstance(x, Tracer) else self(x)))
