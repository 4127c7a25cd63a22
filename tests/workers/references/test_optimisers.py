"""Update rules of training, checked by hand and against each other."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.job import TRAINING_TASKS
from workers.references.optimisers import (
    ADAM_RATE,
    BETAS,
    EPSILON,
    MOMENTUM,
    SGD_RATE,
    WEIGHT_DECAY,
    adam,
    adamw,
    bias_corrections,
    sgd,
)

DOCUMENTED = Path(__file__).parents[3] / "docs/reference/workloads.md"

NUMBERS = st.floats(-100, 100, allow_subnormal=False)


def test_the_first_step_of_descent_is_the_gradient_times_the_rate() -> None:
    assert sgd(1.0, 2.0, 0.0) == (1.0 - SGD_RATE * 2.0, 2.0)


def test_a_step_goes_on_with_a_share_of_the_steps_before() -> None:
    weight, velocity = sgd(1.0, 2.0, 0.0)
    again, faster = sgd(weight, 2.0, velocity)
    assert faster == pytest.approx(2.0 + MOMENTUM * 2.0)
    assert again == pytest.approx(weight - SGD_RATE * faster)


@given(NUMBERS, NUMBERS)
def test_a_constant_gradient_makes_steps_of_a_geometric_series(weight: float, gradient: float) -> None:
    velocity, begun = 0.0, weight
    for _ in range(5):
        weight, velocity = sgd(weight, gradient, velocity)
    series = sum((1 - MOMENTUM**step) / (1 - MOMENTUM) for step in range(1, 6))
    assert begun - weight == pytest.approx(SGD_RATE * gradient * series, abs=1e-9)


@pytest.mark.parametrize("step", [1, 2, 3, 10, 1000])
def test_corrections_of_the_bias_are_what_powers_of_beta_leave(step: int) -> None:
    found = bias_corrections(step, math.expm1)
    assert found == pytest.approx(tuple(1 - beta**step for beta in BETAS))


def test_corrections_are_as_exact_in_float32() -> None:
    """Compute 1 - beta ** step for the first steps, where a difference of two float32 numbers would lose digits."""
    for step in (1, 2, 3):
        narrow = bias_corrections(np.float32(step), np.expm1)
        wide = bias_corrections(step, math.expm1)
        assert [float(each) for each in narrow] == pytest.approx(wide, rel=2e-7)


@given(st.floats(0.01, 100), st.sampled_from([-1, 1]))
def test_the_first_step_of_adam_is_about_its_rate_whatever_the_gradient(size: float, sign: int) -> None:
    weight, mean, square = adam(0.0, sign * size, 0.0, 0.0, bias_corrections(1, math.expm1), math.sqrt)
    assert weight == pytest.approx(-sign * ADAM_RATE * size / (size + EPSILON))
    assert mean == pytest.approx((1 - BETAS[0]) * sign * size)
    assert square == pytest.approx((1 - BETAS[1]) * size * size)


def test_without_a_gradient_nothing_moves() -> None:
    corrections = bias_corrections(1, math.expm1)
    assert sgd(3.0, 0.0, 0.0) == (3.0, 0.0)
    assert adam(3.0, 0.0, 0.0, 0.0, corrections, math.sqrt) == (3.0, 0.0, 0.0)


@given(st.lists(NUMBERS, min_size=3, max_size=3), st.lists(NUMBERS, min_size=3, max_size=3))
def test_a_step_of_arrays_is_the_step_of_each_number(weights: list[float], gradients: list[float]) -> None:
    corrections, zero = bias_corrections(2, math.expm1), np.zeros(3)
    moved, mean, square = adam(np.array(weights), np.array(gradients), zero, zero, corrections, np.sqrt)
    for place in range(3):
        alone = adam(weights[place], gradients[place], 0.0, 0.0, corrections, math.sqrt)
        assert (moved[place], mean[place], square[place]) == pytest.approx(alone)


def test_adam_descends_a_bowl_until_it_is_at_the_bottom() -> None:
    weight, mean, square = 1.0, 0.0, 0.0
    for step in range(1, 4001):
        weight, mean, square = adam(weight, 2 * weight, mean, square, bias_corrections(step, math.expm1), math.sqrt)
    assert abs(weight) < 0.01


def test_a_weight_decays_before_the_step_of_adam_and_apart_from_its_moments() -> None:
    corrected = bias_corrections(1, math.expm1)
    plain = adam(2.0 * (1 - ADAM_RATE * WEIGHT_DECAY), 3.0, 0.0, 0.0, corrected, math.sqrt)
    assert adamw(2.0, 3.0, 0.0, 0.0, corrected, math.sqrt) == plain
    still, *moments = adamw(2.0, 0.0, 0.0, 0.0, corrected, math.sqrt)
    assert (still, moments) == (pytest.approx(2.0 - 2.0 * ADAM_RATE * WEIGHT_DECAY), [0.0, 0.0])


def test_the_settings_in_the_documentation_are_the_ones_that_are_used() -> None:
    rows = DOCUMENTED.read_text(encoding="utf-8").splitlines()
    said = {row.split("`")[1]: row.split("|")[3].strip() for row in rows if row.startswith("| `train-")}
    assert said["train-sgd"] == f"rate {SGD_RATE}, momentum {MOMENTUM}"
    assert said["train-adam"] == f"rate {ADAM_RATE}, betas {BETAS[0]} and {BETAS[1]}, epsilon {EPSILON}"
    assert said["train-adamw"] == f"the same, weight decay {WEIGHT_DECAY}"
    assert {*said} == {*TRAINING_TASKS}
