"""One matrix product in Numba, which calls the BLAS of SciPy for it, with a hand-derived gradient."""

import numpy as np

from workers.arrays import Array


def forward(x: Array, W: Array) -> Array:
    return np.dot(x, W)


def backward(x: Array, W: Array) -> tuple[float, Array]:
    output = np.dot(x, W)
    scale = x.dtype.type(2 / output.size)
    return (output * output).mean(), np.dot(x.T, scale * output)
