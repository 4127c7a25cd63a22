"""Softmax along rows in Numba: loops that finish one row before the next, with a hand-derived gradient."""

import numpy as np
from numba import prange
from numba.extending import register_jitable

from workers.arrays import Array


@register_jitable
def fill_row(x: Array, b: Array, output: Array) -> None:
    """Write the softmax of a row into `output`."""
    largest = x[0] + b[0]
    for column in range(len(x)):
        largest = max(largest, x[column] + b[column])
    total = x.dtype.type(0)
    for column in range(len(x)):
        output[column] = np.exp(x[column] + b[column] - largest)
        total += output[column]
    for column in range(len(x)):
        output[column] /= total


def forward(x: Array, b: Array) -> Array:
    output = np.empty_like(x)
    for row in prange(len(x)):
        fill_row(x[row], b, output[row])
    return output


def backward(x: Array, b: Array) -> tuple[float, Array]:
    width = x.dtype.type(len(b))
    scale = (width + width) * width / x.dtype.type(x.size)
    loss, gradient = 0.0, np.zeros_like(b)
    for row in prange(len(x)):
        output = np.empty_like(b)
        fill_row(x[row], b, output)
        squares = (output * output).sum()
        loss += squares
        gradient += scale * output * (output - squares)
    return width * width * loss / x.size, gradient
