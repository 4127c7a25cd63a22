"""A step that draws random numbers is recognised by a second call, and its random parts are named."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import pytest

from schemas.job import Dtype
from workers.arrays import Array
from workers.interfaces import Framework
from workers.verification.randomness import find_randomness

SILENT = cast("Framework", object())


class Naming:
    """A framework that names these parts of any model."""

    def __init__(self, *parts: str) -> None:
        self._parts = parts

    def list_random_parts(self, model: object) -> Sequence[str]:
        return self._parts


def drifting(step: float) -> Callable[[], list[Array]]:
    """Return a computation whose result grows by this share with each call."""
    calls = [0]

    def compute() -> list[Array]:
        calls[0] += 1
        return [np.ones(4), np.full(3, 1 + step * calls[0])]

    return compute


def test_what_computes_the_same_twice_is_not_random() -> None:
    assert find_randomness(drifting(0), SILENT, None, "float64") == ""


@pytest.mark.parametrize(
    ("dtype", "noise"), [("float64", 1e-12), ("float32", 1e-6), ("bfloat16", 1e-2), ("float16", 1e-3)]
)
def test_the_order_in_which_threads_add_up_is_no_randomness(dtype: Dtype, noise: float) -> None:
    assert find_randomness(drifting(noise), SILENT, None, dtype) == ""


def test_results_that_are_not_finite_twice_are_not_random() -> None:
    assert find_randomness(lambda: [np.array([np.nan, 1.0])], SILENT, None, "float32") == ""


def test_random_parts_are_named_with_what_to_do() -> None:
    said = find_randomness(drifting(0.5), cast("Framework", Naming("Dropout a", "LSTM b")), None, "float32")
    assert said == "two calls on the same inputs differ by 0.33 of the result: set the rate of Dropout a, LSTM b to 0"
    many = cast("Framework", Naming(*"abcdef"))
    assert "set the rate of a, b, c, d, ... to 0" in find_randomness(drifting(0.5), many, None, "float32")


@pytest.mark.parametrize("framework", [SILENT, cast("Framework", Naming())])
def test_without_a_known_part_the_model_is_at_fault(framework: Framework) -> None:
    assert find_randomness(drifting(0.5), framework, None, "float64").endswith(": let the model draw no random numbers")
