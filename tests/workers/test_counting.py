"""Every product of a reference is counted."""

from collections.abc import Callable
from typing import Any

import autograd.numpy as autonumpy
import numpy as np
import pytest

from tests.workers.counting import Counting, plain
from workers.autodiff import gradients_of

Product = Callable[[Any, Any], Any]


@pytest.mark.parametrize(
    "product",
    [
        lambda a, b: a @ b,
        np.dot,
        lambda a, b: np.inner(a, b.T),
        lambda a, b: np.tensordot(a, b, 1),
        lambda a, b: np.tensordot(a, b, axes=((1,), (0,))),
        lambda a, b: np.tensordot(a.T, b, axes=(0, 0)),
        lambda a, b: np.einsum("ik,kj->ij", a, b),
        lambda a, b: np.einsum("ik,kj->ij", a, b, optimize=True),
        lambda a, b: np.concatenate([a[:1], a[1:]]) @ np.pad(b, ((0, 0), (0, 0))),
    ],
)
def test_a_product_is_counted_once_however_it_is_written(product: Product) -> None:
    a, b = np.ones((2, 3)), np.ones((3, 5))
    for one, other in ((a.view(Counting), b), (a, b.view(Counting)), (a.view(Counting), b.view(Counting))):
        Counting.flops = 0
        assert np.array_equal(plain(product(one, other)), np.full((2, 5), 3.0))
        assert Counting.flops == 2 * 2 * 3 * 5


@pytest.mark.parametrize("product", [lambda a, b: a @ b, lambda a, b: np.einsum("nik,nkj->nij", a, b)])
def test_products_side_by_side_are_counted_each(product: Product) -> None:
    Counting.flops = 0
    product(np.ones((4, 2, 3)).view(Counting), np.ones((4, 3, 5)))
    assert Counting.flops == 4 * (2 * 2 * 3 * 5)


@pytest.mark.parametrize("product", [autonumpy.matmul, autonumpy.dot, lambda x, w: autonumpy.einsum("ik,kj->ij", x, w)])
def test_the_products_of_a_gradient_by_autograd_are_counted(product: Product) -> None:
    Counting.flops = 0
    backward = gradients_of(lambda _, weights, x: autonumpy.sum(product(x, weights["W"])))
    _, gradients = backward({}, {"W": np.ones((3, 5)).view(Counting)}, np.ones((2, 3)).view(Counting))
    assert np.array_equal(plain(gradients["W"]), np.full((3, 5), 2.0))
    assert Counting.flops == 2 * (2 * 2 * 3 * 5)


def test_what_is_not_a_product_counts_nothing() -> None:
    Counting.flops = 0
    a = np.ones((2, 3)).view(Counting)
    np.add.at(a, 0, (np.exp(a) * a).sum(axis=0))
    assert a.mean() > 1
    assert Counting.flops == 0
