"""A mode in 8 bits is held to its own limit, which a real quantisation keeps and another computation does not."""

import math

import numpy as np
import pytest

from schemas.event import TensorCheck
from workers.arrays import Array
from workers.verification.quantised import INT8_TOLERANCE, hold_quantised

DEEPEST = 64


def make_check(error: float | None, tolerance: float = 2e-6) -> TensorCheck:
    passed = error is not None and error <= tolerance
    return TensorCheck(tensor="output", inputs="all", error=error, worst=error, tolerance=tolerance, passed=passed)


@pytest.mark.parametrize(("error", "passed"), [(0.0, True), (0.24, True), (0.26, False), (1.0, False), (None, False)])
def test_a_check_has_the_limit_of_8_bits(error: float | None, passed: bool) -> None:
    (held,) = hold_quantised([make_check(error)])
    assert (held.tolerance, held.passed, held.error) == (INT8_TOLERANCE, passed, error)


def quantise(values: Array, steps: int) -> Array:
    """Round to equal steps from the least to the largest value."""
    step = (values.max() - values.min()) / steps
    return np.asarray(np.round(values / step) * step)


@pytest.mark.parametrize("depth", [1, 8, DEEPEST])
@pytest.mark.parametrize("weight_steps", [127, 255])
def test_a_chain_of_products_in_8_bits_keeps_the_limit(depth: int, weight_steps: int) -> None:
    rng = np.random.default_rng(depth)
    right = quantised = rng.standard_normal((8, 64))
    for _ in range(depth):
        weight = rng.standard_normal((64, 64)) / 8
        right, quantised = right @ weight, quantise(quantised, 255) @ quantise(weight, weight_steps)
    error = float(np.linalg.norm(quantised - right) / np.linalg.norm(right))
    (held,) = hold_quantised([make_check(error)])
    assert held.passed
    assert error > 2.0**-8


def test_the_error_grows_with_the_root_of_the_depth() -> None:
    assert INT8_TOLERANCE / math.sqrt(2.0**-14 + 2.0**-12) == pytest.approx(math.sqrt(200), rel=0.02)


def test_an_unrelated_output_and_no_output_at_all_are_wrong() -> None:
    rng = np.random.default_rng(1)
    right, other = rng.standard_normal(1000), rng.standard_normal(1000)
    for got in (other, np.zeros(1000), right * 1.5):
        error = float(np.linalg.norm(got - right) / np.linalg.norm(right))
        assert not hold_quantised([make_check(error)])[0].passed
