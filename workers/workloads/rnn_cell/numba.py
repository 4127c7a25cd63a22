"""One step of a recurrent network in Numba, with hand-derived gradients; its products are those of SciPy's BLAS."""

import numpy as np

from workers.arrays import Array


def forward(x: Array, prev_h: Array, W_h: Array, W_x: Array) -> Array:
    return np.tanh(np.dot(W_h, prev_h.T) + np.dot(W_x, x.T))


def backward(x: Array, prev_h: Array, W_h: Array, W_x: Array) -> tuple[float, Array, Array]:
    next_h = np.tanh(np.dot(W_h, prev_h.T) + np.dot(W_x, x.T))
    slope = x.dtype.type(1) - next_h * next_h
    return next_h.sum(), np.dot(slope, prev_h), np.dot(slope, x)
