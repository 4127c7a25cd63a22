"""A Tree-LSTM over binary trees of different shapes, with hand-derived gradients.

The binary (N-ary, N = 2) Tree-LSTM of Tai, Socher and Manning (2015) on constituency trees: only leaves have words.
A leaf has i, g, o = W_x x + b_x, c = sigmoid(i) tanh(g), h = sigmoid(o) tanh(c). A node with children l and r has i,
f_l, f_r, g, o = W_h [h_l; h_r] + b_h, c = sigmoid(i) tanh(g) + sigmoid(f_l) c_l + sigmoid(f_r) c_r, and h as for
a leaf. The output is the state h of the root; loss = mean(output^2).

x is (batch, leaves, input) and children (batch, leaves - 1, 2): the leaves are nodes 0 to leaves - 1, then follow the
inner nodes, each after its children, and the root is the last. W_x is (3 hidden, input), W_h (5 hidden, 2 hidden).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes

Tree = tuple[Any, ...] | int


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    hidden, size = parameters["hidden"], parameters["input"]
    return {
        "W_x": rng.standard_normal((3 * hidden, size)) / np.sqrt(size),
        "b_x": rng.standard_normal(3 * hidden) * 0.1,
        "W_h": rng.standard_normal((5 * hidden, 2 * hidden)) / np.sqrt(hidden),
        "b_h": rng.standard_normal(5 * hidden) * 0.1,
    }


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    leaves = parameters["leaves"]
    return (((batch, leaves, parameters["input"]), (batch, leaves - 1, 2)),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    """Draw trees, each by joining two random neighbours into one node until one node is left."""
    (batch, leaves, size), _ = shapes
    children = np.empty((batch, leaves - 1, 2), np.int64)
    for tree in children:
        row = list(range(leaves))
        for node in range(leaves - 1):
            place = int(rng.integers(len(row) - 1))
            tree[node] = row[place : place + 2]
            row[place : place + 2] = [leaves + node]
    return rng.standard_normal((batch, leaves, size)), children


def path(parameters: Parameters, weights: Mapping[str, Array], x: Array, children: Array) -> tuple[Tree, ...]:
    """Return the trees as pairs of pairs, because the same tree can be numbered in several ways."""
    return tuple(in_pairs(tree) for tree in children.tolist())


def in_pairs(children: list[list[int]]) -> Tree:
    nodes: list[Tree] = list(range(len(children) + 1))
    for left, right in children:
        nodes.append((nodes[left], nodes[right]))
    return nodes[-1]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


class Pass:
    """A forward pass: states and cells of all nodes, (nodes, batch, hidden). A step adds a node to every tree."""

    def __init__(self, weights: Mapping[str, Array], x: Array, children: Array) -> None:
        batch, leaves, _ = x.shape
        i, g, o = np.split(x.swapaxes(0, 1) @ weights["W_x"].T + weights["b_x"], 3, axis=2)
        self.of_leaves = i, g, o = sigmoid(i), np.tanh(g), sigmoid(o)
        self.states = np.empty((2 * leaves - 1, batch, i.shape[2]), x.dtype)
        self.cells = np.empty_like(self.states)
        self.cells[:leaves] = i * g
        self.states[:leaves] = o * np.tanh(self.cells[:leaves])
        self.pairs, self.gates = list[Array](), list[tuple[Array, ...]]()
        rows = np.arange(batch)
        for node in range(leaves - 1):
            left, right = (children[:, node, 0], rows), (children[:, node, 1], rows)
            pair = np.concatenate([self.states[left], self.states[right]], axis=1)
            i, f_l, f_r, g, o = np.split(pair @ weights["W_h"].T + weights["b_h"], 5, axis=1)
            gates = i, f_l, f_r, g, o = sigmoid(i), sigmoid(f_l), sigmoid(f_r), np.tanh(g), sigmoid(o)
            self.cells[leaves + node] = i * g + f_l * self.cells[left] + f_r * self.cells[right]
            self.states[leaves + node] = o * np.tanh(self.cells[leaves + node])
            self.pairs.append(pair)
            self.gates.append(gates)


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array, children: Array) -> Array:
    return Pass(weights, x, children).states[-1]


def backward(
    parameters: Parameters, weights: Mapping[str, Array], x: Array, children: Array
) -> tuple[Any, dict[str, Array]]:
    done = Pass(weights, x, children)
    rows, leaves = np.arange(len(x)), x.shape[1]
    W_h, b_h = np.zeros_like(weights["W_h"]), np.zeros_like(weights["b_h"])
    by_h, by_c = np.zeros_like(done.states), np.zeros_like(done.cells)
    by_h[-1] = 2 * done.states[-1] / done.states[-1].size
    for node in reversed(range(leaves - 1)):
        left, right = (children[:, node, 0], rows), (children[:, node, 1], rows)
        (i, f_l, f_r, g, o), now = done.gates[node], np.tanh(done.cells[leaves + node])
        upstream = by_h[leaves + node]
        cell = by_c[leaves + node] + upstream * o * (1 - now * now)
        by_i, by_l, by_r = cell * g, cell * done.cells[left], cell * done.cells[right]
        slopes = np.concatenate(
            [
                by_i * i * (1 - i),
                by_l * f_l * (1 - f_l),
                by_r * f_r * (1 - f_r),
                cell * i * (1 - g * g),
                upstream * now * o * (1 - o),
            ],
            axis=1,
        )
        W_h += slopes.T @ done.pairs[node]
        b_h += slopes.sum(axis=0)
        by_h[left], by_h[right] = np.split(slopes @ weights["W_h"], 2, axis=1)
        by_c[left], by_c[right] = cell * f_l, cell * f_r
    (i, g, o), now = done.of_leaves, np.tanh(done.cells[:leaves])
    cell = by_c[:leaves] + by_h[:leaves] * o * (1 - now * now)
    slopes = np.concatenate([cell * g * i * (1 - i), cell * i * (1 - g * g), by_h[:leaves] * now * o * (1 - o)], axis=2)
    flat = slopes.reshape(leaves * len(x), -1)
    W_x = flat.T @ x.swapaxes(0, 1).reshape(len(flat), -1)
    return np.mean(done.states[-1] ** 2), {"W_x": W_x, "b_x": flat.sum(axis=0), "W_h": W_h, "b_h": b_h}


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    leaves, hidden = parameters["leaves"], parameters["hidden"]
    outer = 2 * batch * leaves * 3 * hidden * parameters["input"]
    inner = 2 * batch * (leaves - 1) * 5 * hidden * 2 * hidden
    return outer + inner if task == "forward" else 2 * outer + 3 * inner
