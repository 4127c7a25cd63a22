"""Peak rates: the best of several sizes, by a framework's own product and sums, on a clock that the test moves."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from schemas.event import Ceiling
from schemas.job import Cell
from workers.arrays import Array
from workers.frameworks.numpy import Framework as NumPy
from workers.frameworks.numpy import make_arithmetic
from workers.interfaces import Framework, Step
from workers.measurement import peak_rates
from workers.measurement.peak_rates import (
    MOST_REPEATS,
    PRODUCT_SIZES,
    REPEATS,
    SUM_SIZES,
    join_ceilings,
    measure_ceiling,
    time_fastest,
)

CELL = Cell(framework="numpy", mode="eager", workload="mlp")


class Counting:
    """A framework of NumPy arrays that notes the calls that it is waited for."""

    def __init__(self) -> None:
        self.made: list[tuple[int, ...]] = []
        self.waited = 0

    def arrays(self, values: Sequence[Array]) -> tuple[Array, ...]:
        self.made += [value.shape for value in values]
        return tuple(value.astype(np.float32) for value in values)

    def synchronise(self, outputs: object) -> None:
        self.waited += 1


def test_every_size_of_product_and_sum_is_tried() -> None:
    framework = Counting()
    measure_ceiling(cast("Framework", framework), 4)
    assert framework.made == [
        *((size, size) for size in PRODUCT_SIZES for _ in range(2)),
        *((size,) for size in SUM_SIZES for _ in range(2)),
    ]


@pytest.mark.parametrize(("flops_per_s", "largest"), [(1e13, 4096), (1e11, 1024), (1e10, 512)])
def test_several_threads_get_larger_products_as_long_as_these_take_little_time(
    monkeypatch: pytest.MonkeyPatch, flops_per_s: float, largest: int
) -> None:
    framework = Counting()

    def time_by_size(_: Framework, inputs: tuple[Array, ...], __: Step) -> float:
        return float(2 * len(inputs[0]) ** 3 / flops_per_s)

    monkeypatch.setattr(peak_rates, "time_fastest", time_by_size)
    measure_ceiling(cast("Framework", framework), 4, threads=2)
    assert max(shape[0] for shape in framework.made if len(shape) == 2) == largest


@pytest.mark.parametrize(("call_ns", "count"), [(10, MOST_REPEATS), (500_000, 20), (5_000_000, REPEATS)])
def test_a_rate_is_of_the_fastest_of_several_calls_and_the_first_does_not_count(
    monkeypatch: pytest.MonkeyPatch, call_ns: int, count: int
) -> None:
    framework, calls, taken = Counting(), list[object](), list[int]()

    class Watch:
        def __init__(self, operation: Step, input_sets: Sequence[object], synchronise: object) -> None:
            calls.extend(input_sets)

        def take_sample(self, number: int) -> int:
            taken.append(number)
            return 1 if len(taken) == 1 else call_ns + 1000 // len(taken)

    monkeypatch.setattr(peak_rates, "Stopwatch", Watch)
    found = time_fastest(cast("Framework", framework), (1, 2), lambda *inputs: inputs)
    assert calls == [(1, 2)]
    assert taken == [1] * (1 + count)
    assert found == (call_ns + 1000 // (1 + count)) / 1e9


def test_rates_are_operations_and_bytes_in_the_time_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak_rates, "time_fastest", lambda *_: 0.001)
    found = measure_ceiling(cast("Framework", Counting()), itemsize=8)
    assert found.flops_per_s == 2 * max(PRODUCT_SIZES) ** 3 / 0.001
    assert found.bytes_per_s == 3 * max(SUM_SIZES) * 8 / 0.001


def test_numpy_reaches_rates_above_zero_here() -> None:
    framework = NumPy(CELL)
    framework.apply_settings()
    found = measure_ceiling(framework, 4)
    assert found.flops_per_s > 0
    assert found.bytes_per_s > 0


def test_in_half_precision_a_large_product_must_take_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    framework = Counting()
    monkeypatch.setattr(peak_rates, "time_fastest", lambda _, inputs, __: float(2 * len(inputs[0]) ** 3 / 2e8))
    measure_ceiling(cast("Framework", framework), 2)
    assert max(shape[0] for shape in framework.made if len(shape) == 2) == PRODUCT_SIZES[0]


def test_of_two_ceilings_the_higher_rates_count() -> None:
    joined = join_ceilings(Ceiling(flops_per_s=1, bytes_per_s=4), Ceiling(flops_per_s=3, bytes_per_s=2))
    assert joined == Ceiling(flops_per_s=3, bytes_per_s=4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_arithmetic_of_half_precision_is_that_of_float32(dtype: str) -> None:
    (value,) = make_arithmetic(CELL.model_copy(update={"dtype": dtype})).arrays([np.ones(2)])
    assert value.dtype == np.float32


def test_numpy_itself_computes_in_float16() -> None:
    assert NumPy(CELL.model_copy(update={"dtype": "float16"})).arrays([np.ones(2)])[0].dtype == np.float16
