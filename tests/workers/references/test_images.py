"""Patches, convolution and pooling agree with plain loops, and their gradients are adjoints."""

import numpy as np
import pytest
from autograd import elementwise_grad

from workers.arrays import Array
from workers.references.images import convolve_2d, extract_patches, fold_patches, max_pool_2d

PLACES = [(1, 1, 0), (3, 1, 1), (3, 2, 1), (4, 2, 1), (2, 2, 0), (7, 2, 3)]
every_place = pytest.mark.parametrize(("size", "stride", "padding"), PLACES)


def drawn(*shape: int) -> Array:
    return np.random.default_rng(3).standard_normal(shape)


def by_loops(x: Array, kernel: Array, stride: int, padding: int) -> Array:
    size, padded = len(kernel), np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, columns = ((length + 2 * padding - size) // stride + 1 for length in x.shape[1:3])
    made = np.zeros((len(x), rows, columns, kernel.shape[3]))
    for i, j in np.ndindex(rows, columns):
        patch = padded[:, i * stride : i * stride + size, j * stride : j * stride + size]
        made[:, i, j] = np.einsum("bhwc,hwco->bo", patch, kernel)
    return made


@every_place
def test_a_convolution_is_what_its_loops_say(size: int, stride: int, padding: int) -> None:
    x, kernel = drawn(2, 7, 8, 3), drawn(size, size, 3, 5)
    assert convolve_2d(x, kernel, stride, padding) == pytest.approx(by_loops(x, kernel, stride, padding))


@every_place
def test_adding_up_patches_is_the_adjoint_of_cutting_them(size: int, stride: int, padding: int) -> None:
    x = drawn(2, 8, 7, 3)
    cut = extract_patches(x, size, stride, padding)
    other = np.random.default_rng(4).standard_normal(cut.shape)
    assert np.sum(cut * other) == pytest.approx(np.sum(x * fold_patches(other, x.shape, stride, padding)))


@every_place
def test_each_is_the_gradient_of_the_other(size: int, stride: int, padding: int) -> None:
    x = drawn(2, 8, 7, 3)
    cut = extract_patches(x, size, stride, padding)
    assert elementwise_grad(lambda x: extract_patches(x, size, stride, padding))(x) == pytest.approx(
        fold_patches(np.ones_like(cut), x.shape, stride, padding)
    )
    assert elementwise_grad(lambda cut: fold_patches(cut, x.shape, stride, padding))(cut) == pytest.approx(
        extract_patches(np.ones_like(x), size, stride, padding)
    )


def test_pooling_takes_the_largest_pixel_and_gives_the_whole_gradient_to_the_first_of_equal_ones() -> None:
    x = np.array([[3.0, 1, 2, 2], [0, 3, 1, 2]])[None, :, :, None]
    assert max_pool_2d(x, 2, 2, 0).ravel().tolist() == [3, 2]
    assert elementwise_grad(lambda x: max_pool_2d(x, 2, 2, 0))(x)[0, :, :, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]


def test_pooling_leaves_out_what_is_over() -> None:
    assert max_pool_2d(abs(drawn(1, 5, 5, 2)), 2, 2, 0).shape == (1, 2, 2, 2)


def test_float32_stays_float32() -> None:
    x, kernel = drawn(1, 6, 6, 2).astype(np.float32), drawn(3, 3, 2, 2).astype(np.float32)
    slope = elementwise_grad(lambda x: max_pool_2d(convolve_2d(x, kernel, 1, 1) ** 2, 2, 2, 0))
    assert convolve_2d(x, kernel, 2, 1).dtype == slope(x).dtype == np.float32
