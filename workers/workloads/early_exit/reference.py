"""A recurrent block that is repeated until its halting scores add up to 1, with hand-derived gradients.

h_n = tanh(W_h h_(n-1) + W_x x + b) from h_0 = 0, in rows: x is (batch, input), h is (batch, hidden). Each step has one
score for the whole batch, p_n = sigmoid(mean of w_p h_n + b_p), and s_n = p_1 + ... + p_n. The block ends with the
first step whose sum reaches 1, or with the last step that is allowed. The output is the mean of the states, weighted by
their scores, the last one cut so that the sum stays at 1: sum of min(p_n, 1 - s_(n-1)) h_n. loss = mean(output^2).
This is adaptive computation time (Graves 2016), with one decision for the whole batch and without the ponder cost.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import TRAINING_TASKS, Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes

# The sums before and after 1 keep at least this distance from it, as a share of the score between them. Rounding then
# cannot change the number of steps.
MARGIN = 0.1


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    hidden, size = parameters["hidden"], parameters["input"]
    w_p = rng.standard_normal((1, hidden))
    return {
        "W_h": rng.standard_normal((hidden, hidden)) / np.sqrt(hidden),
        "W_x": rng.standard_normal((hidden, size)) / np.sqrt(size),
        "b": rng.standard_normal(hidden) * 0.1,
        "w_p": 1.5 * w_p / np.linalg.norm(w_p),
        # A mean score of 2 / maximum: the block ends after about half of the steps.
        "b_p": np.full(1, -np.log(parameters["maximum"] / 2 - 1)) + rng.standard_normal(1) * 0.1,
    }


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, parameters["input"]),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    """Draw inputs around a random mean of the set, so that sets differ in their number of steps."""
    ((batch, size),) = shapes
    return (rng.standard_normal((batch, size)) + rng.standard_normal(size),)


class Pass:
    """A forward pass: the states from h_0 on, and for each step its score, its sum and the weight of its state."""

    def __init__(self, parameters: Parameters, weights: Mapping[str, Array], x: Array) -> None:
        one = x.dtype.type(1)
        driven = x @ weights["W_x"].T + weights["b"]
        self.states, self.sums = [np.zeros_like(driven)], [0 * one]
        self.scores, self.counts = list[Any](), list[Any]()
        while self.sums[-1] < 1 and len(self.scores) < parameters["maximum"]:
            self.states.append(np.tanh(driven + self.states[-1] @ weights["W_h"].T))
            score = one / (one + np.exp(-(self.states[-1] @ weights["w_p"].T + weights["b_p"]).mean()))
            self.scores.append(score)
            self.counts.append(min(score, one - self.sums[-1]))
            self.sums.append(self.sums[-1] + score)
        self.output = sum(count * state for count, state in zip(self.counts, self.states[1:], strict=True))
        self.loss = np.mean(self.output * self.output)


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> Array:
    return Pass(parameters, weights, x).output


def path(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> int | None:
    """Return the number of steps, or None if rounding could change it or if it is too small or the maximum."""
    done = Pass(parameters, weights, x)
    steps, margin = len(done.scores), MARGIN * done.scores[-1]
    clear = done.sums[-2] <= 1 - margin and done.sums[-1] >= 1 + margin
    return steps if clear and parameters["maximum"] // 4 <= steps < parameters["maximum"] else None


def backward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Any, dict[str, Array]]:
    done = Pass(parameters, weights, x)
    gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}
    upstream = 2 * done.output / done.output.size
    by_count = [np.sum(upstream * state) for state in done.states[1:]]
    spared = by_count[-1] if done.sums[-1] >= 1 else 0 * by_count[-1]
    driven = later = np.zeros_like(upstream)
    for step in reversed(range(len(done.scores))):
        before, state = done.states[step : step + 2]
        score, is_rest = done.scores[step], done.sums[step + 1] >= 1
        by_score = 0 * spared if is_rest else (by_count[step] - spared) * score * (1 - score)
        each = np.full((len(x), 1), by_score / len(x))
        gradients["w_p"] += each.T @ state
        gradients["b_p"] += by_score
        slope = (done.counts[step] * upstream + each * weights["w_p"] + later) * (1 - state * state)
        gradients["W_h"] += slope.T @ before
        later = slope @ weights["W_h"]
        driven = driven + slope
    gradients["W_x"] += driven.T @ x
    gradients["b"] += driven.sum(axis=0)
    return done.loss, gradients


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    """Count for inputs that end as early as is allowed. In training that may be after two steps: no score is 1.

    The first state's product with zeros is not needed, nor the gradient of the last score.
    """
    hidden = parameters["hidden"]
    steps = 2 if task in TRAINING_TASKS else max(2, parameters["maximum"] // 4)
    driven, state, score = (2 * batch * hidden * other for other in (parameters["input"], hidden, 1))
    forward = driven + (steps - 1) * state + steps * score
    return forward if task == "forward" else forward + driven + 2 * (steps - 1) * state + (steps - 1) * score
