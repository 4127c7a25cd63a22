"""A bidirectional LSTM that tags the tokens of sequences of varying length, with hand-derived gradients.

x_t = E[token_t]; i, f, g, o = W_x x_t + W_h h_(t-1) + b, in this order; c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g)
and h_t = sigmoid(o) tanh(c_t), from zeros (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).
One such network reads each sequence from its beginning, another from its end. scores = W_o [h ahead; h back] + b_o;
loss = mean cross entropy of the tags of all real tokens. Values beyond the end of a sequence in `tokens` and `tags`
have no effect, and the scores there are b_o.

E is (vocabulary, width), W_x (4 hidden, width), W_h (4 hidden, hidden), W_o (tags, 2 hidden); tokens and tags are
(length, batch), lengths (batch,), scores (length, batch, tags).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes

DIRECTIONS = ("ahead", "back")

# The lengths of the sequences differ between sets of inputs, and with them the work.
UNEVEN = True


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    width, hidden, tags = parameters["width"], parameters["hidden"], parameters["tags"]
    drawn = {"E": rng.standard_normal((parameters["vocabulary"], width))}
    for direction in DIRECTIONS:
        drawn |= {
            f"W_x_{direction}": rng.standard_normal((4 * hidden, width)) / np.sqrt(width),
            f"W_h_{direction}": rng.standard_normal((4 * hidden, hidden)) / np.sqrt(hidden),
            f"b_{direction}": rng.standard_normal(4 * hidden) * 0.1,
        }
    return drawn | {
        "W_o": rng.standard_normal((tags, 2 * hidden)) / np.sqrt(2 * hidden),
        "b_o": rng.standard_normal(tags) * 0.1,
    }


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    length = parameters["length"]
    others = () if parameters["fixed_length"] else (length + 3,)
    return tuple(((steps, batch), (batch,), (steps, batch)) for steps in (length, *others))


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    """Draw sequences of which at least one has the full length, and none is less than half as long."""
    (length, batch), *_ = shapes
    lengths = rng.integers((length + 1) // 2, length + 1, batch)
    lengths[rng.integers(batch)] = length
    tokens = rng.integers(parameters["vocabulary"], size=(length, batch))
    return tokens, lengths, rng.integers(parameters["tags"], size=(length, batch))


def turned(values: Array, lengths: Array) -> Array:
    """Reverse each sequence up to its end: (length, batch, ...). Padding stays in its place."""
    steps = np.arange(len(values))[:, None]
    return values[np.where(steps < lengths, lengths - 1 - steps, steps), np.arange(len(lengths))]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


class Direction:
    """One LSTM along (length, batch, width), with its backward pass."""

    def __init__(self, weights: Mapping[str, Array], direction: str, x: Array) -> None:
        self._W_x, self._W_h, b = (weights[f"{name}_{direction}"] for name in ("W_x", "W_h", "b"))
        self._x = x
        driven = x @ self._W_x.T + b
        zeros = np.zeros((x.shape[1], self._W_h.shape[1]), x.dtype)
        self._states, self._cells, self._gates = [zeros], [zeros], list[tuple[Array, ...]]()
        for step in driven:
            i, f, g, o = np.split(step + self._states[-1] @ self._W_h.T, 4, axis=1)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            self._gates.append((i, f, g, o))
            self._cells.append(f * self._cells[-1] + i * g)
            self._states.append(o * np.tanh(self._cells[-1]))
        self.output = np.stack(self._states[1:])

    def backward(self, upstream: Array) -> tuple[Array, tuple[Array, Array, Array]]:
        """Return the gradients of x, and of W_x, W_h and b, from that of the output."""
        slopes = np.empty((*upstream.shape[:2], len(self._W_h)), upstream.dtype)
        by_h = by_c = np.zeros_like(upstream[0])
        for step in reversed(range(len(slopes))):
            (i, f, g, o), now = self._gates[step], np.tanh(self._cells[step + 1])
            by_h = by_h + upstream[step]
            by_c = by_c + by_h * o * (1 - now * now)
            slopes[step] = np.concatenate(
                [
                    by_c * g * i * (1 - i),
                    by_c * self._cells[step] * f * (1 - f),
                    by_c * i * (1 - g * g),
                    by_h * now * o * (1 - o),
                ],
                axis=1,
            )
            by_h, by_c = slopes[step] @ self._W_h, by_c * f
        flat = slopes.reshape(-1, slopes.shape[2])
        before = np.concatenate(self._states[:-1])
        W_x = flat.T @ self._x.reshape(len(flat), -1)
        return slopes @ self._W_x, (W_x, flat.T @ before, flat.sum(axis=0))


class Pass:
    """A forward pass: the scores, with all that the backward pass needs."""

    def __init__(self, weights: Mapping[str, Array], tokens: Array, lengths: Array) -> None:
        x = weights["E"][tokens]
        self.real = np.arange(len(tokens))[:, None] < lengths
        self.ahead = Direction(weights, "ahead", x)
        self.back = Direction(weights, "back", turned(x, lengths))
        both = np.concatenate([self.ahead.output, turned(self.back.output, lengths)], axis=2)
        self.states = both * self.real[:, :, None].astype(x.dtype)
        self.scores = self.states @ weights["W_o"].T + weights["b_o"]


def forward(parameters: Parameters, weights: Mapping[str, Array], tokens: Array, lengths: Array, tags: Array) -> Array:
    return Pass(weights, tokens, lengths).scores


def backward(
    parameters: Parameters, weights: Mapping[str, Array], tokens: Array, lengths: Array, tags: Array
) -> tuple[Any, dict[str, Array]]:
    done = Pass(weights, tokens, lengths)
    scores = done.scores[done.real]
    shifted = scores - scores.max(axis=1, keepdims=True)
    logarithms = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    due = np.arange(len(scores)), tags[done.real]
    slopes = np.exp(logarithms)
    slopes[due] -= 1
    upstream = np.zeros_like(done.scores)
    upstream[done.real] = slopes / len(scores)
    flat = upstream.reshape(-1, upstream.shape[2])
    ahead, back = np.split(upstream @ weights["W_o"], 2, axis=2)
    by_x, of_ahead = done.ahead.backward(ahead)
    by_turned, of_back = done.back.backward(turned(back, lengths))
    E = np.zeros_like(weights["E"])
    np.add.at(E, tokens, by_x + turned(by_turned, lengths))
    W_o = flat.T @ done.states.reshape(len(flat), -1)
    ordered = (E, *of_ahead, *of_back, W_o, flat.sum(axis=0))
    return -logarithms[due].mean(), dict(zip(weights, ordered, strict=True))


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    """Count for one sequence of full length and all others as short as allowed. Zero states need no product."""
    length, width, hidden = parameters["length"], parameters["width"], parameters["hidden"]
    tokens = length + (batch - 1) * ((length + 1) // 2)
    gates = 2 * 4 * hidden * (tokens * width + (tokens - batch) * hidden)
    forward = 2 * gates + 2 * tokens * 2 * hidden * parameters["tags"]
    return forward if task == "forward" else 3 * forward


def elements(parameters: Parameters, batch: int, task: Task) -> int:
    """Count all but the table, of which one row may be enough; its gradient is as large as the table."""
    sizes = {name: weight.size for name, weight in weights(parameters, np.random.default_rng(0)).items()}
    table, tokens = sizes["E"], parameters["length"] * batch
    known = sum(sizes.values()) - table + parameters["width"]
    taken = known + batch + tokens * (1 if task == "forward" else 2)
    return taken + (tokens * parameters["tags"] if task == "forward" else 1 + sum(sizes.values()))
