"""Image operations of the references on (batch, height, width, channels): patches, convolution and pooling.

Extracting patches and adding them up are adjoint, so each is the gradient of the other. A kernel is square: (height,
width, channels in, channels out).
"""

import autograd.numpy
import numpy as np
from autograd.extend import defvjp, primitive
from numpy.lib.stride_tricks import sliding_window_view

from workers.arrays import Array


@primitive  # type: ignore[untyped-decorator]
def extract_patches(x: Array, size: int, stride: int, padding: int) -> Array:
    """Extract the patch of `size` by `size` pixels at each place: (batch, rows, columns, size, size, channels).

    The image gets a border of zeros, `padding` wide.
    """
    batch, height, width, channels = x.shape
    padded = np.zeros_like(x, shape=(batch, height + 2 * padding, width + 2 * padding, channels))
    padded[:, padding : padding + height, padding : padding + width] = x
    windows = sliding_window_view(padded, (size, size), axis=(1, 2), subok=True)[:, ::stride, ::stride]
    return np.moveaxis(windows, 3, 5).copy()


@primitive  # type: ignore[untyped-decorator]
def fold_patches(cut: Array, shape: tuple[int, ...], stride: int, padding: int) -> Array:
    """Add patches up to an image of this shape, in which each pixel is the sum of all patches that cover it."""
    batch, height, width, channels = shape
    rows, columns, size = cut.shape[1:4]
    padded = np.zeros_like(cut, shape=(batch, height + 2 * padding, width + 2 * padding, channels))
    for i, j in np.ndindex(size, size):
        padded[:, i : i + stride * rows : stride, j : j + stride * columns : stride] += cut[:, :, :, i, j]
    return padded[:, padding : padding + height, padding : padding + width]


defvjp(extract_patches, lambda _cut, x, _size, stride, padding: lambda g: fold_patches(g, x.shape, stride, padding))
defvjp(
    fold_patches, lambda _x, cut, _shape, stride, padding: lambda g: extract_patches(g, cut.shape[3], stride, padding)
)


def convolve_2d(x: Array, kernel: Array, stride: int, padding: int) -> Array:
    """Sum the products of each patch with the kernel: (batch, rows, columns, channels out)."""
    cut = extract_patches(x, kernel.shape[0], stride, padding)
    product = cut.reshape(-1, kernel.size // kernel.shape[3]) @ kernel.reshape(-1, kernel.shape[3])
    return product.reshape(*cut.shape[:3], -1)


def max_pool_2d(x: Array, size: int, stride: int, padding: int) -> Array:
    """Take the largest pixel of each patch, the first of equal ones; no pixel of the images may be negative."""
    cut = extract_patches(x, size, stride, padding)
    cut = cut.reshape(*cut.shape[:3], size * size, -1)
    largest = autograd.numpy.argmax(cut, axis=3)[:, :, :, None] == np.arange(size * size)[:, None]
    return autograd.numpy.sum(cut * largest, axis=3)
