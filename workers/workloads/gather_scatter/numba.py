"""Rows of a table, gathered by indices and summed into bins, in Numba, with a hand-derived gradient.

Two pairs may share a bin, so no loop over pairs is parallel.
"""

from typing import Protocol

import numpy as np

from workers.arrays import Array


class Sizes(Protocol):
    """The parameters that a function needs."""

    bins: int
    pairs: int


def forward(pairs: Array, bins: Array, table: Array, sizes: Sizes) -> Array:
    output = np.zeros((sizes.bins, table.shape[1]), table.dtype)
    for pair in range(len(pairs)):
        left, right, target = table[pairs[pair, 0]], table[pairs[pair, 1]], output[bins[pair]]
        for column in range(len(left)):
            target[column] += left[column] * right[column]
    return output


def backward(pairs: Array, bins: Array, table: Array, sizes: Sizes) -> tuple[float, Array]:
    output = np.zeros((sizes.bins, table.shape[1]), table.dtype)
    for pair in range(len(pairs)):
        left, right, target = table[pairs[pair, 0]], table[pairs[pair, 1]], output[bins[pair]]
        for column in range(len(left)):
            target[column] += left[column] * right[column]
    batch = len(pairs) // sizes.pairs
    gradient, scale = np.zeros_like(table), table.dtype.type(2 / batch)
    for pair in range(len(pairs)):
        first, second, slope = pairs[pair, 0], pairs[pair, 1], output[bins[pair]]
        left, right = table[first], table[second]
        for column in range(len(left)):
            gradient[first, column] += scale * slope[column] * right[column]
            gradient[second, column] += scale * slope[column] * left[column]
    return (output * output).sum() / batch, gradient
