"""One convolution of images with a kernel of 3 x 3 in Numba: plain loops, with a hand-derived gradient.

The innermost loop runs over the filters, which are next to each other in kernel and output.
"""

import numpy as np
from numba import prange
from numba.extending import register_jitable

from workers.arrays import Array


@register_jitable
def fill_point(x: Array, W: Array, row: int, column: int, output: Array) -> None:
    """Add all products that reach one point of an image to `output`, which is (filters,)."""
    for i in range(max(0, 1 - row), min(3, x.shape[0] + 1 - row)):
        for j in range(max(0, 1 - column), min(3, x.shape[1] + 1 - column)):
            seen = x[row + i - 1, column + j - 1]
            for channel in range(len(seen)):
                value, kernel = seen[channel], W[i, j, channel]
                for one in range(len(kernel)):
                    output[one] += value * kernel[one]


@register_jitable
def add_place(x: Array, output: Array, i: int, j: int, scale: float, gradient: Array) -> None:
    """Add the gradient of one place in the kernel on one image to `gradient`, which is (channels, filters)."""
    height, width = x.shape[:2]
    for row in range(max(0, 1 - i), min(height, height + 1 - i)):
        for column in range(max(0, 1 - j), min(width, width + 1 - j)):
            seen, upstream = x[row + i - 1, column + j - 1], output[row, column]
            for channel in range(len(seen)):
                value, target = scale * seen[channel], gradient[channel]
                for one in range(len(target)):
                    target[one] += value * upstream[one]


def forward(x: Array, W: Array) -> Array:
    images, height, width = x.shape[:3]
    output = np.zeros((images, height, width, W.shape[3]), x.dtype)
    for place in prange(images * height):
        # The number of a parallel loop has no sign, and would turn a difference into floating point.
        image, row = divmod(np.int64(place), height)
        for column in range(width):
            fill_point(x[image], W, row, column, output[image, row, column])
    return output


def backward(x: Array, W: Array) -> tuple[float, Array]:
    images, height, width = x.shape[:3]
    output = np.zeros((images, height, width, W.shape[3]), x.dtype)
    loss = 0.0
    for place in prange(images * height):
        image, row = divmod(np.int64(place), height)
        for column in range(width):
            fill_point(x[image], W, row, column, output[image, row, column])
        loss += (output[image, row] * output[image, row]).sum()
    gradient, scale = np.zeros_like(W), x.dtype.type(2 / output.size)
    for place in prange(9):
        i, j = divmod(np.int64(place), 3)
        for image in range(images):
            add_place(x[image], output[image], i, j, scale, gradient[i, j])
    return loss / output.size, gradient
