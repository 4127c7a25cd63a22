"""Gradients of a reference that has only a loss: those of autograd, for every weight that is trained."""

from collections.abc import Mapping

import autograd.numpy as np
import pytest

from workers.arrays import Array
from workers.autodiff import gradients_of
from workers.interfaces import Parameters

X, Y = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([1.0, 2.0, 3.0])


def loss(parameters: Parameters, weights: Mapping[str, Array], x: Array, y: Array) -> Array:
    error = np.dot(x, weights["w"]) * parameters["factor"] + weights["b"] - y
    total: Array = np.sum(error * error)
    return total


def by_hand(factor: int, w: Array, b: float) -> tuple[float, Array, float]:
    error = X @ w * factor + b - Y
    return float(error @ error), 2 * factor * error @ X, 2 * float(error.sum())


@pytest.mark.parametrize("factor", [1, 3])
def test_the_loss_and_every_gradient_are_those_worked_out_by_hand(factor: int) -> None:
    w, b = np.array([0.5, -1.0]), np.array(0.25)
    found, gradients = gradients_of(loss)({"factor": factor}, {"w": w, "b": b}, X, Y)
    due, of_w, of_b = by_hand(factor, w, 0.25)
    assert found == pytest.approx(due)
    assert gradients["w"] == pytest.approx(of_w)
    assert gradients["b"] == pytest.approx(of_b)
    assert list(gradients) == ["w", "b"]


def test_a_weight_that_only_statistics_move_has_no_gradient() -> None:
    weights = {"w": np.array([0.5, -1.0]), "b": np.array(0.25), "running_mean": np.array(7.0)}
    _, gradients = gradients_of(loss)({"factor": 1}, weights, X, Y)
    assert gradients.keys() == {"w", "b"}


def test_the_weights_that_were_given_stay_as_they_are() -> None:
    w = np.array([0.5, -1.0])
    gradients_of(loss)({"factor": 1}, {"w": w, "b": np.array(0.0)}, X, Y)
    assert w.tolist() == [0.5, -1.0]


def test_a_slope_is_that_of_small_steps() -> None:
    weights = {"w": np.array([0.3, 0.7]), "b": np.array(-0.2)}
    _, gradients = gradients_of(loss)({"factor": 2}, weights, X, Y)
    for place in range(2):
        step = np.zeros(2)
        step[place] = 1e-6
        up, down = (loss({"factor": 2}, weights | {"w": weights["w"] + sign * step}, X, Y) for sign in (1, -1))
        assert gradients["w"][place] == pytest.approx((up - down) / 2e-6, rel=1e-6)
