"""Right results pass and wrong ones fail: the judgement of one tensor, calculated by hand."""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from schemas.event import TensorCheck
from schemas.job import Dtype, Task
from workers.arrays import Array
from workers.interfaces import RUNNING_PREFIX, Parameters, Reference
from workers.verification.tolerance import (
    MAX_JUMP,
    MAX_OUTPUT_JUMP,
    ROUNDING,
    Evaluate,
    Expectation,
    Precision,
    add_scales,
    can_have_jumped,
    can_jump,
    cast_all,
    compute_equal_argmax,
    compute_moves,
    compute_scale,
    explain_checks,
    make_call_evaluator,
    make_training_evaluator,
    name_losses,
    name_outputs,
    perturb_values,
)


class Known:
    """A reference with fixed results for any inputs; in float32 it is off by `own_error`."""

    def __init__(
        self, output: object = 0.0, loss: float = 0.0, gradient: object = 0.0, *, own_error: float = 0.0
    ) -> None:
        self._output, self._loss, self._gradient = np.array(output), np.array(loss), np.array(gradient)
        self._own_error = own_error

    def forward(self, parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> Array:
        return self._output * self._off(weights)

    def backward(
        self, parameters: Parameters, weights: Mapping[str, Array], *inputs: Array
    ) -> tuple[Any, dict[str, Array]]:
        off = self._off(weights)
        return self._loss * off, {"w": self._gradient * off}

    def _off(self, weights: Mapping[str, Array]) -> float:
        return 1 + self._own_error if weights["w"].dtype == np.float32 else 1.0


def expecting(known: Known, task: Task = "forward", dtype: Dtype = "float64", weight: object = 1.0) -> Expectation:
    return Expectation(
        make_call_evaluator(cast("Reference", known), task, {}, {"w": np.array(weight)}, [np.ones(1)]), dtype
    )


def judged(known: Known, *got: object, task: Task = "forward", dtype: Dtype = "float64") -> tuple[TensorCheck, ...]:
    return expecting(known, task, dtype).check_tensors([np.array(value, np.float64) for value in got], "some inputs")


def test_the_error_is_the_norm_of_the_difference_over_the_norm_of_the_reference() -> None:
    (check,) = judged(Known([3.0, 4.0]), [3.0, 4.5])
    assert check.error == pytest.approx(0.1)
    assert check.worst == pytest.approx(0.125)
    assert not check.passed


def test_exactly_the_reference_passes_and_has_no_error() -> None:
    (check,) = judged(Known([[3.0, 4.0]]), [[3.0, 4.0]])
    assert (check.error, check.worst, check.passed) == (0, 0, True)
    assert explain_checks([check]) == ""


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_one_value_that_is_not_finite_fails_the_tensor(value: float, dtype: Dtype) -> None:
    (check,) = judged(Known([1.0] * 1000), [value] + [1.0] * 999, dtype=dtype)
    assert (check.passed, check.error) == (False, None)
    assert "not finite" in explain_checks([check])


@pytest.mark.parametrize("got", [[1.0, 1.0, 1.0], [[1.0, 1.0]], [[1.0], [1.0]], 1.0, []])
def test_another_shape_fails_even_where_it_would_broadcast(got: object) -> None:
    (check,) = judged(Known([1.0, 1.0]), got)
    assert not check.passed
    assert "of the wrong shape" in explain_checks([check])


def test_a_tensor_that_is_missing_fails_and_the_others_are_judged_all_the_same() -> None:
    known = Known(loss=1.0, gradient=1.0)
    assert [check.passed for check in judged(known, 1.0, task="backward")] == [True, False]
    assert [check.passed for check in judged(known, task="backward")] == [False, False]
    assert explain_checks(judged(known, 1.0, task="backward")).startswith("gradient of w is missing")


def test_a_tensor_too_many_fails() -> None:
    assert explain_checks(judged(Known(loss=1.0, gradient=1.0), 1.0, 1.0, 1.0, task="backward")) != ""


def test_a_wrong_gradient_fails_under_a_right_loss_and_is_named() -> None:
    loss, gradient = judged(Known(loss=1.0, gradient=[1.0, 2.0]), 1.0, [2.0, 1.0], task="backward")
    assert (loss.passed, gradient.passed) == (True, False)
    assert explain_checks([loss, gradient]).startswith("gradient of w is off by 0.63 ")


def test_a_small_gradient_is_judged_as_strictly_as_a_large_one() -> None:
    for size in (1e-20, 1.0, 1e20):
        _, check = judged(Known(loss=1.0, gradient=[size, 0.0]), 1.0, [size, size / 1000], task="backward")
        assert check.error == pytest.approx(1e-3)
        assert not check.passed


@pytest.mark.parametrize(("got", "passed"), [(0.0, True), (1e-7, True), (1e-3, False)])
def test_a_tensor_of_zeros_is_judged_absolutely(got: float, passed: bool) -> None:
    (check,) = judged(Known([0.0, 0.0]), [got, 0.0], dtype="float32")
    assert check.passed is passed
    assert check.error == pytest.approx(got)


def test_a_loss_whose_terms_cancel_is_judged_on_how_far_the_weights_move_it() -> None:
    known = Known(loss=1e-9, gradient=[3.0, -4.0])
    loss, _ = expecting(known, "backward", "float32", weight=[2.0, 2.0]).check_tensors(
        [np.array(1e-9 + 1e-6), np.array([3.0, -4.0])], "some inputs"
    )
    assert loss.error == pytest.approx(1e-7)
    assert loss.passed


def test_a_loss_whose_terms_do_not_cancel_is_judged_on_itself() -> None:
    loss, _ = judged(Known(loss=100.0, gradient=1.0), 100.01, 1.0, task="backward", dtype="float32")
    assert loss.error == pytest.approx(1e-4)
    assert not loss.passed


X_TO_SUM = np.random.default_rng(7).standard_normal(1 << 16).astype(np.float32)
SQUARES = (X_TO_SUM * X_TO_SUM).astype(np.float32)


def expecting_a_mean(count: Callable[[], int], dtype: Dtype = "float32") -> Expectation:
    known = Known(loss=float(SQUARES.astype(np.float64).mean()), gradient=1.0)
    evaluate = make_call_evaluator(cast("Reference", known), "backward", {}, {"w": np.array(1e-3)}, [np.ones(1)])
    return Expectation(evaluate, dtype, count_summands=count)


def add_one_by_one(values: Array) -> float:
    return float(np.add.accumulate(values, dtype=np.float32)[-1] / np.float32(values.size))


def test_a_loss_whose_numbers_are_added_one_by_one_is_right() -> None:
    got = [np.array(add_one_by_one(SQUARES)), np.array(1.0)]
    loss, _ = expecting_a_mean(lambda: SQUARES.size).check_tensors(got, "now")
    assert loss.passed
    assert loss.error is not None
    assert 2e-6 < loss.error < loss.tolerance
    assert loss.tolerance == pytest.approx(2.0**-24 * 2**8)
    assert not expecting_a_mean(lambda: 1).check_tensors(got, "now")[0].passed


@pytest.mark.parametrize("off", [1e-4, -1e-4, 1.6e-5])
def test_a_loss_that_is_further_off_than_adding_explains_is_wrong(off: float) -> None:
    exact = float(SQUARES.astype(np.float64).mean())
    loss, gradient = expecting_a_mean(lambda: SQUARES.size).check_tensors(
        [np.array(exact * (1 + off)), np.array(1.0)], "now"
    )
    assert not loss.passed
    assert gradient.passed
    assert gradient.tolerance == pytest.approx(4e-6)


def test_numbers_are_counted_only_where_a_loss_in_float32_is_off() -> None:
    counted = list[str]()

    def count(dtype: str) -> int:
        counted.append(dtype)
        return 1 << 40

    exact = float(SQUARES.astype(np.float64).mean())
    right, off = [np.array(exact), np.array(1.0)], [np.array(exact * 1.01), np.array(1.0)]
    assert expecting_a_mean(lambda: count("exact")).check_tensors(right, "now")[0].passed
    assert not expecting_a_mean(lambda: count("float64"), "float64").check_tensors(off, "now")[0].passed
    assert counted == []
    (loss, _) = expecting_a_mean(lambda: count("float32")).check_tensors(off, "now")
    assert (counted, loss.passed, loss.tolerance) == (["float32"], False, 1e-3)


@pytest.mark.parametrize(
    ("dtype", "allowed"), [("float64", 1e-12), ("float32", 2e-6), ("bfloat16", 4e-2), ("float16", 5e-3)]
)
def test_every_dtype_has_its_tolerance_and_gradients_twice_of_it(dtype: Dtype, allowed: float) -> None:
    assert expecting(Known([1.0]), dtype=dtype).compute_tolerance("output") == allowed
    backward = expecting(Known(loss=1.0, gradient=1.0), "backward", dtype)
    assert backward.compute_tolerance("loss") == allowed
    assert backward.compute_tolerance("gradient of w") == 2 * allowed


@pytest.mark.parametrize(
    ("dtype", "allowed"), [("float64", 1e-12), ("float32", 2e-6), ("bfloat16", 4e-2), ("float16", 5e-3)]
)
def test_just_inside_the_tolerance_passes_and_just_outside_fails(dtype: Dtype, allowed: float) -> None:
    for factor, passed in ((0.9, True), (1.1, False)):
        (check,) = judged(Known([1.0]), [1.0 + factor * allowed], dtype=dtype)
        assert check.passed is passed


def test_a_computation_that_float32_itself_gets_wrong_is_allowed_eight_times_its_own_error() -> None:
    assert expecting(Known([1.0], own_error=1e-5), dtype="float32").compute_tolerance("output") == pytest.approx(
        8e-5, rel=0.02
    )
    assert expecting(Known([1.0], own_error=1e-5), dtype="float64").compute_tolerance("output") == 1e-12


def test_a_computation_that_overflows_in_float32_lets_no_infinity_pass() -> None:
    (check,) = judged(Known([1.0], own_error=math.inf), [math.inf], dtype="float32")
    assert not check.passed


class Kinked:
    """loss = sum of relu(w x - 1), with all gradients about 1; the last w x - 1 is one rounding above zero."""

    def backward(
        self, parameters: Parameters, weights: Mapping[str, Array], *inputs: Array
    ) -> tuple[Any, dict[str, Array]]:
        (x,) = inputs
        z = weights["w"] * x - 1
        return np.sum(np.maximum(z, 0)), {"w": np.where(z > 0, x, 0)}


def kinked(dtype: Dtype = "float32") -> tuple[Expectation, list[Array]]:
    """Expect results of 10,000 numbers: one on the other side of zero is one per cent of the gradient."""
    x, w = np.ones(10_000), np.full(10_000, 1.5)
    x[-1], w[-1] = 1 + 2.0**-23, 1
    due = Expectation(make_call_evaluator(cast("Reference", Kinked()), "backward", {}, {"w": w}, [x]), dtype)
    loss, gradient = due.tensors.values()
    return due, [loss, np.where(np.arange(x.size) < x.size - 1, gradient, 0)]


def test_a_gradient_may_jump_as_the_reference_does_where_rounding_alone_decides() -> None:
    due, on_the_other_side = kinked()
    assert due.compute_tolerance("gradient of w") == 4e-6
    loss, gradient = due.check_tensors(on_the_other_side, "some inputs")
    assert (loss.passed, gradient.passed) == (True, True)
    assert gradient.error == pytest.approx(0.01, rel=1e-3)
    assert loss.tolerance == 2e-6
    assert gradient.tolerance == pytest.approx(0.02, rel=1e-3)


def test_no_jump_excuses_a_wrong_loss_a_gradient_far_off_or_an_error_in_float64() -> None:
    due, (loss, gradient) = kinked()
    checks = due.check_tensors([loss * (1 + 1e-5), gradient], "some inputs")
    assert [check.passed for check in checks] == [False, False]
    checks = due.check_tensors([loss, gradient * 1.03], "some inputs")
    assert [check.passed for check in checks] == [True, False]
    due, on_the_other_side = kinked("float64")
    assert [check.passed for check in due.check_tensors(on_the_other_side, "some inputs")] == [True, False]


def moved_by(off: float, task: Task = "backward", dtype: Dtype = "float32", least: float | None = None) -> Expectation:
    """Return what is expected of a model whose results other last bits move by this much."""

    def run(by: float) -> Evaluate:
        known = Known(output=[1.0 + by], loss=1.0, gradient=[1.0 + by])
        return make_call_evaluator(cast("Reference", known), task, {}, {"w": np.ones(1)}, [np.ones(1)])

    return Expectation(run(0.0), dtype, roundings=[run(0.1 * off), run(off), run(-off)], least=least)


@pytest.mark.parametrize("off", [0.03, 0.3])
@pytest.mark.parametrize(("share", "passed"), [(1.0, True), (1.9, True), (2.2, False)])
def test_a_gradient_that_a_models_own_runs_move_far_may_be_twice_as_far_off(
    off: float, share: float, *, passed: bool
) -> None:
    due = moved_by(off)
    loss, gradient = due.check_tensors([np.array(1.0), np.array([1.0 + share * off])], "some inputs")
    assert (loss.passed, gradient.passed) == (True, passed)
    assert loss.tolerance == 2e-6


@pytest.mark.parametrize(
    ("dtype", "usual"), [("float64", 1e-12), ("float32", 2e-6), ("bfloat16", 4e-2), ("float16", 5e-3)]
)
def test_what_other_last_bits_do_to_a_model_sets_the_tolerance_in_every_dtype(dtype: Dtype, usual: float) -> None:
    assert moved_by(usual / 100, "forward", dtype).compute_tolerance("output") == usual
    assert moved_by(usual, "forward", dtype).compute_tolerance("output") >= 2 * usual
    assert moved_by(0.04, "forward", dtype).compute_tolerance("output") == pytest.approx(0.08)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_an_output_of_zeros_is_wrong_however_far_last_bits_move_it(dtype: Dtype) -> None:
    due = moved_by(0.9, "forward", dtype)
    assert due.compute_tolerance("output") == MAX_OUTPUT_JUMP
    (check,) = due.check_tensors([np.array([0.0])], "some inputs")
    assert not check.passed


def test_an_error_of_the_model_in_float32_that_last_bits_do_not_explain_is_none_of_rounding() -> None:
    known = Known(output=[1.0], loss=1.0, gradient=[1.0], own_error=0.3)
    run = make_call_evaluator(cast("Reference", known), "backward", {}, {"w": np.ones(1)}, [np.ones(1)])
    due = Expectation(run, "float32", roundings=[run, run])
    assert due.compute_tolerance("gradient of w") == pytest.approx(2e-3)
    assert due.list_ill_conditioned() == {}


def test_only_a_tensor_that_other_last_bits_move_far_is_ill_conditioned() -> None:
    assert moved_by(0.03).list_ill_conditioned() == {"gradient of w": pytest.approx(0.03)}
    assert moved_by(3e-4).list_ill_conditioned() == {}
    assert moved_by(3e-4, "forward").list_ill_conditioned() == {"output": pytest.approx(3e-4)}
    assert moved_by(3e-10, "backward", "float64").list_ill_conditioned() == {"gradient of w": pytest.approx(3e-10)}
    assert moved_by(math.inf).list_ill_conditioned() == {}


def test_results_without_such_runs_are_never_ill_conditioned() -> None:
    due, _ = kinked()
    assert due.list_ill_conditioned() == {}


def test_exact_results_may_be_held_to_another_least_tolerance() -> None:
    assert moved_by(0.0, "forward", "float64", least=1e-9).compute_tolerance("output") == 1e-9
    assert moved_by(0.0, "backward", "float64", least=1e-9).compute_tolerance("gradient of w") == 2e-9


def test_a_gradient_that_does_not_jump_is_allowed_no_more() -> None:
    known = Known(loss=1.0, gradient=[1.0, 2.0])
    _, gradient = judged(known, 1.0, [1.0, 2.0001], task="backward", dtype="float32")
    assert (gradient.passed, gradient.tolerance) == (False, 4e-6)


def test_what_was_found_to_jump_is_kept_for_the_next_that_expects_the_same() -> None:
    due, on_the_other_side = kinked()
    kept: dict[str, float] = {}
    for _ in range(2):
        again = Expectation(due.evaluate, "float32", kept)
        assert explain_checks(again.check_tensors(on_the_other_side, "some inputs")) == ""
    assert kept["gradient of w"] == pytest.approx(0.01, rel=1e-3)


def test_the_verdict_names_the_first_tensor_that_failed_its_inputs_and_how_many_more_did() -> None:
    checks = judged(Known(loss=1.0, gradient=1.0), 1.5, 1.5, task="backward")
    assert explain_checks(checks) == "loss is off by 0.5 (tolerance 1e-12) on some inputs, and 1 more checks failed"


def a_check(tensor: str, error: float | None, *, passed: bool = False) -> TensorCheck:
    return TensorCheck(tensor=tensor, inputs="set 0", error=error, worst=error, tolerance=1e-6, passed=passed)


@pytest.mark.parametrize(
    ("tensor", "jumps"),
    [("output", False), ("output 3", False), ("loss", False), ("loss of step 2", False), ("gradient of w", True)],
)
def test_only_what_follows_from_gradients_can_jump(tensor: str, jumps: bool) -> None:
    assert can_jump(tensor) is jumps
    assert can_jump("move of w")


@pytest.mark.parametrize(
    ("checks", "jumped"),
    [
        ([], False),
        ([a_check("gradient of w", 1e-9, passed=True)], False),
        ([a_check("gradient of w", MAX_JUMP)], True),
        ([a_check("gradient of w", 2 * MAX_JUMP)], False),
        ([a_check("gradient of w", None)], False),
        ([a_check("gradient of w", 1e-3), a_check("loss", 1e-3)], False),
        ([a_check("gradient of w", 1e-3), a_check("loss", 0.0, passed=True)], True),
    ],
)
def test_a_jump_explains_only_gradients_that_are_a_little_off(checks: list[TensorCheck], jumped: bool) -> None:
    assert can_have_jumped(checks) is jumped


def test_one_output_has_its_name_and_several_have_numbers() -> None:
    one, other = np.ones(2), np.zeros(3)
    assert list(name_outputs(one)) == ["output"]
    assert list(name_outputs((one, other))) == ["output 0", "output 1"]
    assert list(name_losses([1.0, 2.0, 3.0])) == ["loss of step 1", "loss of step 2", "loss of step 3"]


def test_a_move_is_a_weight_less_what_it_was() -> None:
    now = {"w": np.array([1.0, 2.0], np.float32), "b": np.array(3.0, np.float32)}
    moves = compute_moves(now, {"w": np.array([0.5, 2.0]), "b": np.array(5.0)})
    assert moves["move of w"].tolist() == [0.5, 0.0]
    assert moves["move of b"].tolist() == -2.0
    assert moves["move of w"].dtype == np.float64


@pytest.mark.parametrize(("values", "scale"), [([3.0, 4.0], 5.0), ([0.0, 0.0], 1.0), ([], 1.0), (-2.0, 2.0)])
def test_a_scale_is_the_norm_and_one_of_nothing(values: object, scale: float) -> None:
    assert compute_scale(np.array(values, np.float32)) == scale


@given(st.integers(0, 1000), st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=1, max_size=10))
def test_other_last_bits_are_one_rounding_of_the_dtype_away_at_most(seed: int, values: list[float]) -> None:
    value = np.array(values)
    for dtype, rounding in ROUNDING.items():
        off = perturb_values(value, np.random.default_rng(seed), dtype)
        assert (np.abs(off - value) <= np.abs(value) * rounding * 1.5).all()
    assert np.array_equal(
        perturb_values(value, np.random.default_rng(seed)),
        perturb_values(value, np.random.default_rng(seed), "float32"),
    )
    assert perturb_values(value, None) is value


def test_whole_numbers_have_no_last_bits_and_keep_their_type() -> None:
    tokens = np.array([1, 2, 3])
    assert perturb_values(tokens, np.random.default_rng(1)) is tokens
    found = cast_all({"tokens": tokens, "w": np.ones(2)}, np.float32, np.random.default_rng(1))
    assert (found["tokens"].dtype, found["w"].dtype) == (tokens.dtype, np.dtype(np.float32))


def test_a_reason_names_the_tensor_how_far_it_is_off_and_where() -> None:
    checks = [a_check("loss", 1e-9, passed=True), a_check("gradient of w", 0.25), a_check("gradient of b", None)]
    assert explain_checks(checks) == (
        "gradient of w is off by 0.25 (tolerance 1e-06) on set 0, and 1 more checks failed"
    )


class Table:
    """A reference that moves each weight a little beside its size."""

    def __init__(self, gradient: Array) -> None:
        self._gradient = gradient

    def backward(
        self, parameters: Parameters, weights: Mapping[str, Array], *inputs: Array
    ) -> tuple[Any, dict[str, Array]]:
        return np.float64(1), {"w": self._gradient.astype(weights["w"].dtype)}


def train_in(dtype: Dtype, gradient: Array, weight: Array, factor: float = 1.0) -> TensorCheck:
    """Train in this dtype with a gradient that is off by a factor, and return the check of the move."""
    table, sets = cast("Reference", Table(gradient)), [(np.ones(1),)] * 3
    due = Expectation(
        make_training_evaluator(table, "train-sgd", {}, {"w": weight}, sets), dtype, trained={"w": weight}
    )
    off = cast("Reference", Table(gradient * factor))
    got, _ = make_training_evaluator(off, "train-sgd", {}, {"w": weight}, sets)(np.dtype(dtype))
    *_, move = due.check_tensors([*got.values()], "here")
    return move


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e-5), ("float64", 1e-13)])
def test_the_rounding_of_a_large_weight_accuses_no_small_move(dtype: Dtype, size: float) -> None:
    rng = np.random.default_rng(0)
    weight = rng.uniform(-1, 1, 3000).astype(np.float32).astype(np.float64)
    assert train_in(dtype, size * rng.standard_normal(3000), weight).passed


def test_rounding_excuses_no_wrong_move() -> None:
    rng = np.random.default_rng(0)
    weight, gradient = rng.uniform(-1, 1, 3000), 1e-2 * rng.standard_normal(3000)
    assert train_in("float32", gradient, weight).passed
    assert not train_in("float32", gradient, weight, factor=1.01).passed


def test_weights_that_do_not_move_excuse_nothing() -> None:
    gradient, weight = np.array([1.0, 0.0]), np.array([1.0, 1e9])
    assert train_in("float32", gradient, weight).tolerance < 1e-4


def test_a_dropped_imaginary_part_is_seen() -> None:
    due = np.array([3 + 4j, 1 - 2j])
    known = Known(due)
    (right,) = expecting(known).check_tensors([due], "here")
    (dropped,) = expecting(known).check_tensors([due.real], "here")
    assert right.passed
    assert not dropped.passed


@pytest.mark.parametrize("nest", [lambda a, b: (a, b), lambda a, b: [a, b], lambda a, b: {"x": a, "y": {"z": b}}])
def test_nested_outputs_are_named_by_number(nest: Any) -> None:  # noqa: ANN401 (a lambda)
    assert [*name_outputs(nest(np.ones(2), np.zeros(3)))] == ["output 0", "output 1"]


def test_a_loss_of_complex_weights_is_judged_by_how_far_it_moves() -> None:
    known = Known(loss=1e-12, gradient=np.array([2j]))
    expectation = Expectation(
        make_call_evaluator(cast("Reference", known), "backward", {}, {"w": np.array([1 + 0j])}, [np.ones(1)]),
        "float64",
    )
    loss, gradient = expectation.check_tensors([np.array(1e-12 + 1e-13), np.array([2j])], "here")
    assert loss.passed
    assert gradient.passed


class Noisy:
    """Fixed tensors, in float32 with an error: one of them is the rounding of a zero."""

    def __init__(self, due: Mapping[str, Array], error: Mapping[str, float]) -> None:
        self._due, self._error = due, error

    def __call__(
        self, dtype: DTypeLike, off: np.random.Generator | None = None, rounding: Dtype = "float32", /
    ) -> tuple[dict[str, Array], dict[str, float]]:
        error = self._error if dtype == np.float32 else {}
        return add_scales({name: value + error.get(name, 0.0) for name, value in self._due.items()})


def test_a_gradient_that_is_rounding_alone_is_judged_as_a_part_of_all() -> None:
    due = {"loss": np.array(1.0), "gradient of kernel": np.full(4, 50.0), "gradient of bias": np.full(4, 1e-15)}
    expected = Expectation(Noisy(due, {"gradient of bias": 1e-6}), "float32")
    for bias, passed in ((3e-6, True), (-2e-6, True), (1.0, False)):
        checks = expected.check_tensors([np.array(1.0), np.full(4, 50.0), np.full(4, bias)], "now")
        assert [check.passed for check in checks] == [True, True, passed]
    # One that is small and more than rounding is judged on itself.
    due["gradient of bias"] = np.full(4, 1e-6)
    checks = Expectation(Noisy(due, {}), "float32").check_tensors(
        [np.array(1.0), np.full(4, 50.0), np.full(4, 1.1e-6)], "now"
    )
    assert [check.passed for check in checks] == [True, True, False]


def test_a_move_by_adam_along_a_gradient_that_is_rounding_alone_may_have_any_size() -> None:
    due = {"loss of step 1": np.array(1.0), "move of kernel": np.full(4, 3e-3), "move of bias": np.full(4, 1e-12)}
    noisy = Noisy(due, {"move of bias": 1e-3})
    got = [np.array(1.0), np.full(4, 3e-3), np.full(4, -2e-3)]
    assert all(check.passed for check in Expectation(noisy, "float32").check_tensors(got, "now"))
    got[1] = got[1] * 1.01
    assert [check.passed for check in Expectation(noisy, "float32").check_tensors(got, "now")] == [True, False, True]


def test_a_move_of_a_statistic_that_is_rounding_alone_is_a_part_of_all_statistics() -> None:
    mean, variance = f"move of {RUNNING_PREFIX}mean", f"move of {RUNNING_PREFIX}variance"
    due = {"loss of step 1": np.array(1.0), mean: np.full(4, 1e-12), variance: np.full(4, 0.3)}
    expected = Expectation(Noisy(due, {mean: 1e-9}), "float32")
    for found, passed in ((-1e-9, True), (0.01, False)):
        checks = expected.check_tensors([np.array(1.0), np.full(4, found), np.full(4, 0.3)], "now")
        assert [check.passed for check in checks] == [True, passed, True]


class Conditioned:
    """A computation in which last bits of the data move the output by some parts, and float64 loses others."""

    def __init__(self, moved: float, lost: float = 0.0, *, exact: bool = True) -> None:
        self._moved, self._lost, self._exact = moved, lost, exact
        self.asked: list[object] = []

    def __call__(
        self, dtype: DTypeLike, off: np.random.Generator | None = None, rounding: Dtype = "float32", /
    ) -> tuple[dict[str, Array], dict[str, float]]:
        self.asked.append((dtype, rounding if off else ""))
        if dtype == np.longdouble and not self._exact:
            raise TypeError("no such dtype")
        factor = 1 + (self._moved if off else 0.0) - (self._lost if dtype == np.longdouble else 0.0)
        return add_scales({"output": np.full(4, factor)})


@pytest.mark.parametrize(
    ("moved", "lost", "error", "passed"),
    [
        (0, 0, 5e-13, True),
        (0, 0, 5e-12, False),
        (5e-11, 0, 3e-10, True),
        (5e-11, 0, 3e-9, False),
        (0, 1e-10, 5e-10, True),
        (0, 1e-10, 5e-9, False),
        # An error of single precision is none that a reference in float64 can explain.
        (0, 1e-3, 1e-7, False),
        (1e-3, 0, 1e-3, True),
        (1e-3, 0, 0.2, False),
    ],
)
def test_in_float64_conditioning_and_what_the_reference_loses_widen_the_tolerance(
    moved: float, lost: float, error: float, *, passed: bool
) -> None:
    due = Expectation(Conditioned(moved, lost), "float64")
    (check,) = due.check_tensors([np.full(4, 1 + error)], "now")
    assert check.passed is passed
    assert due.list_ill_conditioned() == ({} if moved < 1e-10 else {"output": pytest.approx(moved)})


def test_what_is_within_the_usual_tolerance_costs_no_further_evaluation() -> None:
    evaluate = Conditioned(1e-3)
    due = Expectation(evaluate, "float64")
    due.check_tensors([np.full(4, 1 + 1e-14)], "now")
    due.check_tensors([np.full(4, np.nan)], "now")
    assert evaluate.asked == [(np.float64, "")]
    for _ in range(2):
        due.check_tensors([np.full(4, 1 + 1e-9)], "now")
    assert len(evaluate.asked) == 1 + 3 + 1
    assert (np.float64, "float64") in evaluate.asked


def test_a_reference_that_knows_no_long_double_is_taken_as_it_is() -> None:
    due = Expectation(Conditioned(0, 1e-10, exact=False), "float64")
    (check,) = due.check_tensors([np.full(4, 1 + 5e-10)], "now")
    assert not check.passed


@pytest.mark.parametrize(
    ("moved", "error", "is_drawn", "passed"),
    [
        (0, 1e-6, True, True),
        (0, 1e-5, True, False),
        (1e-5, 5e-5, True, True),
        (1e-5, 5e-4, True, False),
        (0, 1e-5, False, False),
        # On inputs that are not drawn, another function is no loss of precision.
        (0, 0.5, False, None),
        (0, math.nan, False, None),
        (0, 0.5, True, False),
        (0, math.nan, True, False),
        # Nothing can be told where last bits decide.
        (1e-3, 0.5, True, None),
    ],
)
def test_a_lower_precision_shows_in_float64(moved: float, error: float, *, is_drawn: bool, passed: bool | None) -> None:
    checks = Precision(Conditioned(moved)).check_tensors([np.full(4, 1 + error)], "now", is_drawn=is_drawn)
    assert [check.passed for check in checks] == ([] if passed is None else [passed])


def test_a_gradient_that_jumps_on_inputs_that_are_not_drawn_proves_nothing() -> None:
    due = {"loss": np.array(1.0), "gradient of w": np.full(4, 1.0)}
    got = [np.array(1.0), np.full(4, 1.01)]
    drawn, derived = (Precision(Noisy(due, {})).check_tensors(got, "now", is_drawn=each) for each in (True, False))
    assert [check.tensor for check in drawn if not check.passed] == ["gradient of w"]
    assert [check.tensor for check in derived] == ["loss"]


@pytest.mark.parametrize(
    ("due", "got", "share"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]], 1.0),
        ([[1.0, 2.0], [2.0, 1.0]], [[2.0, 1.0], [2.0, 1.0]], 0.5),
        (
            [[[1.0, 2.0], [2.0, 1.0]], [[0.0, 1.0], [3.0, 4.0]]],
            [[[2.0, 1.0], [2.0, 1.0]], [[0.0, 1.0], [3.0, 4.0]]],
            0.75,
        ),
        ([[1.0, 1.0]], [[5.0, 5.0]], 1.0),
        ([1.0, 2.0], [2.0, 1.0], None),
        ([[1.0], [2.0]], [[2.0], [1.0]], None),
        ([[1j, 2.0]], [[1j, 2.0]], None),
    ],
)
def test_rows_have_equal_arg_max_where_the_largest_value_is_at_the_same_place(
    due: object, got: object, share: float | None
) -> None:
    assert compute_equal_argmax(np.array(got), np.array(due)) == share


def test_only_outputs_have_a_share_of_equal_arg_max() -> None:
    (output,) = judged(Known([[1.0, 2.0]]), [[1.0, 2.5]])
    assert output.equal_argmax == 1
    gradient = judged(Known(loss=1.0, gradient=[[1.0, 2.0]]), 1.0, [[1.0, 2.0]], task="backward")[1]
    assert gradient.equal_argmax is None
