"""Arrays: floating-point numbers take a cell's dtype, integers keep theirs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.arrays import cast_floating, is_floating, measure_change, widen_values

FLOATING = ["float16", "float32", "float64"]
WHOLE = ["int32", "int64", "uint8", "bool"]


@pytest.mark.parametrize("dtype", FLOATING)
def test_numbers_with_a_point_are_floating(dtype: str) -> None:
    assert is_floating(np.zeros(2, dtype))


@pytest.mark.parametrize("dtype", WHOLE)
def test_indices_lengths_and_tokens_are_not(dtype: str) -> None:
    assert not is_floating(np.zeros(2, dtype))


@pytest.mark.parametrize(("to", "due"), [("float32", "complex64"), ("float64", "complex128")])
def test_complex_numbers_take_the_complex_dtype_of_that_precision(to: str, due: str) -> None:
    for dtype in ("complex64", "complex128"):
        value = np.array([1 + 2j], dtype)
        assert is_floating(value)
        assert cast_floating(value, to).dtype == due
        assert np.array_equal(cast_floating(value, to), value)


@pytest.mark.parametrize(
    ("dtype", "due"), [("float32", "float64"), ("int32", "float64"), ("bool", "float64"), ("complex64", "complex128")]
)
def test_outputs_of_every_kind_are_widened_and_no_imaginary_part_is_dropped(dtype: str, due: str) -> None:
    value = (np.arange(4) * (1 + 1j if dtype == "complex64" else 1)).astype(dtype)
    assert widen_values(value).dtype == due
    assert np.array_equal(widen_values(value), value)


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("to", ["float32", "float64"])
def test_floating_numbers_are_converted(dtype: str, to: str) -> None:
    assert cast_floating(np.ones(3, dtype), to).dtype == to


@pytest.mark.parametrize("dtype", WHOLE)
def test_whole_numbers_come_back_unchanged(dtype: str) -> None:
    value = np.ones(3, dtype)
    assert cast_floating(value, "float32") is value


def test_the_change_of_results_is_the_largest_of_all_and_relative() -> None:
    assert measure_change([np.array([3.0, 4.0])], [np.array([3.0, 4.0])]) == 0
    assert measure_change([np.ones(4), np.array(1j)], [np.ones(4), np.array(0.9j)]) == pytest.approx(0.1)
    assert measure_change([np.zeros(3)], [np.full(3, 2.0)]) == pytest.approx(2 * 3**0.5)
    assert measure_change([], []) == 0


@given(st.lists(st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False), max_size=8))
def test_what_float32_holds_survives_the_way_to_float64_and_back(numbers: list[float]) -> None:
    value = np.array(numbers, np.float32)
    assert np.array_equal(cast_floating(cast_floating(value, np.float64), np.float32), value)
