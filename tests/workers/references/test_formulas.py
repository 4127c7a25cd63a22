"""The shared formulas of the references agree with calculations by hand."""

import math
from collections.abc import Callable

import autograd.numpy as np
import pytest
from autograd import elementwise_grad, grad

from workers.arrays import Array
from workers.references.formulas import (
    attention,
    cross_entropy,
    erf,
    gelu,
    gelu_by_tanh,
    layer_norm,
    mean,
    relu,
    softmax,
)


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


def drawn(*shape: int) -> Array:
    values: Array = np.random.default_rng(5).standard_normal(shape)
    return values


def test_the_error_function_is_that_of_the_standard_library_and_odd() -> None:
    x = drawn(20)
    assert erf(x) == pytest.approx([math.erf(each) for each in x])
    assert erf(-x) == pytest.approx(-erf(x))
    assert elementwise_grad(erf)(x) == pytest.approx(2 / math.sqrt(math.pi) * np.exp(-x * x))


def test_gelu_is_half_of_a_large_number_not_lost_and_all_of_a_large_negative_one_lost() -> None:
    assert gelu(np.array([0.0, 30.0, -30.0])).tolist() == [0.0, 30.0, 0.0]
    assert gelu(np.array([1.0])) == pytest.approx([0.8413447460685429])


def test_the_approximation_by_tanh_is_near_gelu_and_not_equal_to_it() -> None:
    x = np.linspace(-4, 4, 81)
    apart = np.abs(gelu(x) - gelu_by_tanh(x))
    assert 1e-5 < apart.max() < 1e-3


def test_softmax_is_a_distribution_along_the_last_axis_and_does_not_change_with_a_constant() -> None:
    scores = drawn(2, 3, 5)
    shares = softmax(scores)
    assert shares.sum(axis=-1) == pytest.approx(np.ones((2, 3)))
    assert (shares > 0).all()
    assert softmax(scores + 1000) == pytest.approx(shares)
    assert softmax(np.array([0.0, math.log(3)])) == pytest.approx([0.25, 0.75])


def test_a_normalised_layer_has_mean_zero_and_variance_one() -> None:
    x = 3 + 10 * drawn(4, 64)
    found = layer_norm(x, np.ones(64), np.zeros(64))
    assert found.mean(axis=-1) == pytest.approx(np.zeros(4), abs=1e-12)
    assert found.var(axis=-1) == pytest.approx(np.ones(4), rel=1e-3)
    assert layer_norm(x, np.full(64, 2.0), np.full(64, 7.0)) == pytest.approx(2 * found + 7)


def test_a_layer_without_any_variance_is_not_divided_by_zero() -> None:
    assert layer_norm(np.full((1, 8), 5.0), np.ones(8), np.zeros(8)) == pytest.approx(np.zeros((1, 8)))


def test_attention_over_equal_keys_is_the_mean_of_the_values() -> None:
    """Zero the rows of queries and keys: every score is the same, and each place sees the mean of all places."""
    width, length = 4, 6
    weight = np.concatenate([np.zeros((2 * width, width)), np.eye(width)])
    x = drawn(2, length, width)
    seen = attention(x, weight, np.zeros(3 * width), heads=2)
    assert seen == pytest.approx(np.repeat(x.mean(axis=1, keepdims=True), length, axis=1))


def test_a_mask_hides_what_comes_later() -> None:
    width, length = 4, 5
    weight, x = drawn(3 * width, width), drawn(1, length, width)
    mask = np.where(np.tril(np.ones((length, length))) > 0, 0.0, -1e30)
    other = x.copy()
    other[:, -1] += 1
    before, after = (attention(each, weight, np.zeros(3 * width), 2, mask) for each in (x, other))
    assert before[:, :-1] == pytest.approx(after[:, :-1])
    assert not np.allclose(before[:, -1], after[:, -1])


@pytest.mark.parametrize("formula", [gelu, gelu_by_tanh, softmax, erf])
def test_a_formula_of_float32_has_a_slope_in_float32(formula: Callable[[Array], Array]) -> None:
    x = drawn(2, 3).astype(np.float32)
    assert formula(x).dtype == np.float32
    assert elementwise_grad(formula)(x).dtype == np.float32


@pytest.mark.parametrize("formula", [gelu, gelu_by_tanh, softmax, lambda x: layer_norm(x, np.ones(3), np.zeros(3))])
def test_a_slope_is_that_of_small_steps(formula: Callable[[Array], Array]) -> None:
    x, along, towards = drawn(2, 3), np.random.default_rng(6).standard_normal((2, 3)), drawn(2, 3)[::-1]
    slope = grad(lambda value: np.sum(formula(value) * towards))(x)
    up, down = (np.sum(formula(x + sign * 1e-6 * along) * towards) for sign in (1, -1))
    assert np.sum(slope * along) == pytest.approx((up - down) / 2e-6, rel=1e-5)
