"""Sketches tell how far results are apart, and are the same everywhere."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Report
from tests.workers.conftest import Ask, Work
from workers.arrays import Array
from workers.verification.sketch import ALL_SUMS, CHUNK, LEAST_SUMS, MOST_SUMS, count_sums, sketch_tensor
from workers.verification.tolerance import Expectation, add_scales, name_outputs

SIZES = (64, 16)


def estimate(one: object, other: object, size: int = MOST_SUMS) -> float:
    """Return the distance of the sketches of two arrays."""
    first, second = (np.array(sketch_tensor(np.asarray(each), size)) for each in (one, other))
    return float(np.linalg.norm(first - second))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(129,), (64, 64), (3, 5, 128), (100, 257)])
def test_the_distance_of_sketches_is_about_that_of_the_arrays(size: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(40):
        right = rng.standard_normal(shape)
        wrong = right + 1e-3 * rng.standard_normal(shape)
        ratios.append(estimate(right, wrong, size) / float(np.linalg.norm(wrong - right)))
    # The squares of the estimates have the right mean.
    assert math.sqrt(np.mean(np.square(ratios))) == pytest.approx(1, abs=6 / math.sqrt(2 * size * 40))
    assert np.std(ratios) < 1.5 / math.sqrt(2 * size)


@given(st.integers(0, 4095), st.floats(1e-12, 1e12))
def test_one_wrong_number_counts_whole_wherever_it_is(place: int, size: float) -> None:
    right = np.linspace(-1, 1, 4096).reshape(64, 64)
    wrong = right.copy()
    wrong.flat[place] += size
    assert estimate(right, wrong) == pytest.approx(abs(wrong.flat[place] - right.flat[place]), rel=1e-3, abs=1e-13)


def test_rounding_of_the_sums_hides_no_difference_in_the_last_bits_of_float32() -> None:
    right = np.random.default_rng(1).standard_normal(1 << 18)
    off = right * (1 + 1e-9)
    assert estimate(right, off) == pytest.approx(np.linalg.norm(off - right), rel=0.3)


@pytest.mark.parametrize("swap", [lambda x: x.T, lambda x: x[::-1], lambda x: np.roll(x, 1, 1), lambda x: -x])
def test_numbers_in_another_order_have_another_sketch(swap: object) -> None:
    right = np.arange(4096.0).reshape(64, 64) - 2047.5
    assert callable(swap)
    other = swap(right)
    assert estimate(right, other) == pytest.approx(np.linalg.norm(right - other), rel=0.3)


def test_an_array_of_many_chunks_has_a_sketch_like_any_other() -> None:
    many = np.zeros(2 * CHUNK + 5, np.float32)
    many[[0, CHUNK - 1, CHUNK, -1]] = (1, 2, 4, 8)
    assert estimate(many, np.zeros_like(many)) == pytest.approx(np.linalg.norm(many), rel=0.9)
    assert sum(map(abs, sketch_tensor(many, 64))) > 0


def test_the_sketch_of_a_known_array_never_changes() -> None:
    # Environments with other versions of NumPy must make the same, and earlier runs must stay comparable.
    assert sketch_tensor(np.arange(20.0), 16) == (-14, 8, 14, 7, 0, 15, 0, -9, -11, -13, 0, 5, 0, 5, 19, 10)


@pytest.mark.parametrize("size", SIZES)
def test_few_numbers_are_compared_exactly(size: int) -> None:
    one, other = np.random.default_rng(1).standard_normal((2, size))
    assert estimate(one, other, size) == pytest.approx(np.linalg.norm(one - other), rel=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_has_no_sketch(value: float) -> None:
    assert sketch_tensor(np.array([1.0, value]), 16) == ()


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_, np.complex64])
def test_arrays_of_any_type_have_the_sketch_of_their_values(dtype: type) -> None:
    value: Array = np.array([1, 0, 1, 1]).astype(dtype)
    wide = value.astype(np.complex128 if np.iscomplexobj(value) else np.float64)
    assert sketch_tensor(value, 16) == sketch_tensor(wide, 16)
    assert estimate(value, np.zeros(4, dtype)) > 0


def test_an_imaginary_part_counts() -> None:
    assert estimate(np.array([1 + 1j]), np.array([1 + 0j])) == 1


def test_no_numbers_and_one_number_have_a_sketch() -> None:
    assert sketch_tensor(np.empty((0, 3)), 16) == (0.0,) * 16
    assert sorted(map(abs, sketch_tensor(np.array(3.0), 16))) == [0.0] * 15 + [3.0]


@pytest.mark.parametrize(("tensors", "size"), [(1, 64), (16, 64), (17, 32), (32, 32), (33, 16), (900, 16)])
def test_many_tensors_have_smaller_sketches(tensors: int, size: int) -> None:
    assert count_sums(tensors) == size
    assert size == LEAST_SUMS or size * tensors <= ALL_SUMS


def expect(*outputs: object) -> Expectation:
    due = tuple(map(np.asarray, outputs))
    return Expectation(lambda *_: add_scales(name_outputs(due)), "float64")


def test_every_check_of_a_result_gets_its_sketch_and_scale() -> None:
    due = expect([3.0, 4.0], [0.0])
    got = [np.array([3.0, 5.0]), np.array([2.0])]
    checks = due.sketch_tensors(due.check_tensors(got, "x"), got)
    assert [(each.tensor, each.scale) for each in checks] == [("output 0", 5.0), ("output 1", 1.0)]
    assert [each.sketch for each in checks] == [sketch_tensor(each, 64) for each in got]


def test_missing_and_surplus_tensors_have_no_sketch() -> None:
    due, one = expect([3.0, 4.0], [0.0]), np.array([3.0, 4.0])
    fewer = due.sketch_tensors(due.check_tensors([one], "x"), [one])
    assert [bool(each.sketch) for each in fewer] == [True, False]
    assert [each.scale for each in fewer] == [5.0, None]
    more = due.sketch_tensors(due.check_tensors([one, one, one], "x"), [one, one, one])
    assert [bool(each.sketch) for each in more] == [True, True, False]


@pytest.mark.long
@pytest.mark.parametrize("task", ["forward", "backward", "train-sgd"])
def test_jobs_of_the_first_block_sketch_their_first_results_and_later_ones_nothing(
    ask: Ask, work: Work, task: str
) -> None:
    spec = ask("numpy", "eager", "mlp", {"input": 4, "width": 4, "depth": 1}, task=task)
    first, later = (work(spec.model_copy(update={"block": block})).report for block in (1, 2))
    assert list_sketched(later) == []
    named = {each.rpartition(", ")[2] for each in list_sketched(first)}
    assert named == ({"before all timing"} if task == "train-sgd" else {"first call", "second call"})


def list_sketched(report: Report) -> list[str]:
    """Return the inputs of the checks with a sketch."""
    return [each.inputs for each in report.verification.checks if each.sketch]
