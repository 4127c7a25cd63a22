"""Arrays: floating-point numbers take a cell's dtype, integers keep theirs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.arrays import cast_floating, is_floating

FLOATING = ["float16", "float32", "float64"]
WHOLE = ["int32", "int64", "uint8", "bool"]


@pytest.mark.parametrize("dtype", FLOATING)
def test_numbers_with_a_point_are_floating(dtype: str) -> None:
    assert is_floating(np.zeros(2, dtype))


@pytest.mark.parametrize("dtype", WHOLE)
def test_indices_lengths_and_tokens_are_not(dtype: str) -> None:
    assert not is_floating(np.zeros(2, dtype))


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("to", ["float32", "float64"])
def test_floating_numbers_are_converted(dtype: str, to: str) -> None:
    assert cast_floating(np.ones(3, dtype), to).dtype == to


@pytest.mark.parametrize("dtype", WHOLE)
def test_whole_numbers_come_back_unchanged(dtype: str) -> None:
    value = np.ones(3, dtype)
    assert cast_floating(value, "float32") is value


@given(st.lists(st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False), max_size=8))
def test_what_float32_holds_survives_the_way_to_float64_and_back(numbers: list[float]) -> None:
    value = np.array(numbers, np.float32)
    assert np.array_equal(cast_floating(cast_floating(value, np.float64), np.float32), value)
