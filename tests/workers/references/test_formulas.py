"""The shared formulas of the references agree with calculations by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from autograd import elementwise_grad, grad

from workers.arrays import Array
from workers.references.formulas import cross_entropy, mean, relu


def test_relu_has_no_slope_at_zero() -> None:
    x = np.array([-2.0, 0.0, 3.0])
    assert relu(x).tolist() == [0, 0, 3]
    assert elementwise_grad(relu)(x).tolist() == [0, 0, 1]


def test_cross_entropy_is_the_mean_of_the_negative_logarithms_of_what_was_right() -> None:
    logits, labels = np.log([[[0.5, 0.25, 0.25]], [[0.1, 0.2, 0.7]]]), np.array([[1], [2]])
    assert cross_entropy(logits, labels) == pytest.approx(-(np.log(0.25) + np.log(0.7)) / 2)


def test_the_gradient_of_cross_entropy_is_what_was_said_less_what_was_right() -> None:
    logits, labels = np.log([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]), np.array([0, 1])
    due = np.array([[0.5 - 1, 0.25, 0.25], [0.1, 0.2 - 1, 0.7]]) / 2
    assert grad(cross_entropy)(logits, labels) == pytest.approx(due)


def test_large_logits_do_not_overflow() -> None:
    assert cross_entropy(np.array([[1000.0, 0.0]]), np.array([1])) == pytest.approx(1000)


@pytest.mark.parametrize(
    "formula", [lambda x: mean(x * x), lambda x: cross_entropy(x, np.array([0, 1])), lambda x: mean(relu(x))]
)
def test_float32_stays_float32(formula: Callable[[Array], Array]) -> None:
    x = np.ones((2, 3), np.float32)
    assert formula(x).dtype == np.float32
    assert grad(formula)(x).dtype == np.float32
