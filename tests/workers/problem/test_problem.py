"""Every framework gets the same data, with the expected results."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.event import Verification
from schemas.job import Cell
from schemas.judging import FIRST, SET, JudgeRequest
from workers import workloads
from workers.arrays import Array
from workers.frameworks.numpy import Framework
from workers.interfaces import Step
from workers.measurement import new_shapes
from workers.measurement.phases import Ledger
from workers.problem.problem import Problem
from workers.results import ResultsWriter
from workers.session import prepare_step
from workers.tasks import judge

if TYPE_CHECKING:
    from tests.workers.conftest import Ask
from workers.problem.shape_stream import STREAM_LENGTH


def problem(ask: "Ask", workload: str = "rnn", seed: int = 7, **fields: object) -> Problem:
    return Problem(cell(ask, workload, **fields), seed)


def cell(ask: "Ask", workload: str = "rnn", **fields: object) -> Cell:
    return ask("numpy", "eager", workload, **({"batch": 3} | fields)).cell


def everything(of: Problem) -> list[Array]:
    return [*of.weights.values(), *(value for inputs in [*of.input_sets, *of.new_shapes.values()] for value in inputs)]


class Honest:
    """NumPy, a problem for it, and a step that computes what it should."""

    def __init__(self, ask: "Ask") -> None:
        self.spec = ask("numpy", "eager", "rnn", batch=3)
        self.problem = problem(ask)
        self.framework = Framework(cell(ask))
        model = self.framework.build(workloads.import_reference("rnn"), self.problem.weights)
        example, ledger = self.problem.input_sets[0], Ledger(lambda _: None)
        self.step: Step = prepare_step(self.framework, model, example, self.problem.infer_axes(), ledger)

    def elsewhere(self, step: Step, folder: Path) -> Verification:
        """Verify a step on all other shapes, up to one that is wrong."""
        results = ResultsWriter(folder / "results.npy")
        new_shapes.try_new_shapes(self.problem, self.framework, step, results)
        spec = self.spec.model_copy(update={"results": str(folder / "results.npy")})
        asked = JudgeRequest(spec=spec, saved=(), log=os.devnull, folder=str(folder))
        found = [judge.verify_call(self.problem, asked, saved) for saved in results.saved]
        reasons = [each.reason for each in found if each.reason]
        return Verification(checks=tuple(check for each in found for check in each.checks), reason="".join(reasons[:1]))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_the_same_seed_gives_the_same_bytes(ask: "Ask", dtype: str) -> None:
    one, other = (problem(ask, dtype=dtype) for _ in range(2))
    assert [a.tobytes() for a in everything(one)] == [b.tobytes() for b in everything(other)]
    assert one.hash_data() == other.hash_data()


def test_another_seed_gives_other_weights_and_other_inputs(ask: "Ask") -> None:
    one, other = problem(ask, seed=7), problem(ask, seed=8)
    assert all(not np.array_equal(a, b) for a, b in zip(everything(one), everything(other), strict=True))
    assert one.hash_data() != other.hash_data()


def test_the_hash_is_of_the_inputs_as_well_as_of_the_weights(ask: "Ask") -> None:
    one, other = problem(ask, batch=3), problem(ask, batch=4)
    assert all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)
    assert one.hash_data() != other.hash_data()


def test_the_framework_and_the_mode_do_not_change_the_data(ask: "Ask") -> None:
    cells = [ask(framework, mode, "mlp").cell for framework, mode in (("torch", "script"), ("tensorflow", "eager"))]
    assert len({Problem(cell, 7).hash_data() for cell in cells}) == 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_data_of_a_narrow_dtype_is_that_of_float64_rounded_to_float32(ask: "Ask", dtype: str) -> None:
    narrow, wide = problem(ask, dtype=dtype), problem(ask, dtype="float64")
    for rounded, exact in zip(everything(narrow), everything(wide), strict=True):
        assert rounded.dtype == np.float64
        assert np.array_equal(rounded, exact.astype(np.float32))
        assert not np.array_equal(rounded, exact)


def test_timed_calls_have_at_least_four_different_sets_of_inputs(ask: "Ask") -> None:
    assert len({inputs[0].tobytes() for inputs in problem(ask).input_sets}) >= 4


def test_an_axis_whose_size_the_input_decides_is_none(ask: "Ask") -> None:
    assert problem(ask).infer_axes() == [(None, 3, 10), (3, 20)]


def test_a_fixed_length_leaves_no_axis_open_and_no_other_shape(ask: "Ask") -> None:
    fixed = problem(ask, parameters={"fixed_length": 1})
    assert fixed.infer_axes() == [(16, 3, 10), (3, 20)]
    assert fixed.new_shapes == {}


def test_a_batch_does_not_open_an_axis(ask: "Ask") -> None:
    assert problem(ask, "mlp", batch=5).infer_axes() == [(5, 32)]


def test_outputs_of_another_set_of_inputs_are_wrong(ask: "Ask") -> None:
    honest = Honest(ask)
    outputs = honest.framework.to_numpy(honest.step(*honest.framework.arrays(honest.problem.input_sets[1])))
    assert honest.problem.check_case("set 1", outputs, "first call").reason == ""
    assert "on input set 0, first call" in honest.problem.check_case("set 0", outputs, "first call").reason


def test_a_step_that_is_right_on_every_length_passes_on_other_shapes(ask: "Ask", tmp_path: Path) -> None:
    honest = Honest(ask)
    found = honest.elsewhere(honest.step, tmp_path)
    assert found.reason == ""
    assert {check.inputs for check in found.checks} == {
        "inputs of shape (19, 3, 10) (3, 20)",
        "inputs of shape (8, 3, 10) (3, 20)",
    }


def test_a_step_that_baked_in_its_first_length_is_wrong_on_a_longer_one(ask: "Ask", tmp_path: Path) -> None:
    honest = Honest(ask)
    found = honest.elsewhere(lambda xs, h: honest.step(xs[:16], h), tmp_path)
    assert "right on the shape it was prepared with, but" in found.reason
    assert "(19, 3, 10)" in found.reason


def test_a_step_that_refuses_another_length_is_wrong_and_its_error_is_told(ask: "Ask", tmp_path: Path) -> None:
    def only_sixteen(xs: Array, h: Array) -> tuple[Array, ...]:
        if len(xs) != 16:
            raise IndexError(f"a graph of 16 steps\nfound {len(xs)}")
        return honest.step(xs, h)

    honest = Honest(ask)
    found = honest.elsewhere(only_sixteen, tmp_path)
    assert found.reason == "on inputs of shape (19, 3, 10) (3, 20) it raised IndexError: found 19"


def test_the_work_of_a_call_counts_every_weight_input_and_result_once(ask: "Ask") -> None:
    weights, inputs, loss = 20 * 20 + 20 * 10, 3 * 10 + 3 * 20, 1
    work = problem(ask, "rnn_cell").count_work()
    assert work.bytes == 4 * (2 * weights + inputs + loss)
    assert problem(ask, "rnn_cell", dtype="bfloat16").count_work().bytes == work.bytes // 2
    assert problem(ask, "rnn_cell", dtype="float64").count_work().bytes == work.bytes * 2


def test_the_work_of_a_stream_is_that_of_its_calls_in_the_mean(ask: "Ask") -> None:
    fixed, streamed = (
        Problem(ask("numpy", "eager", "mlp", batch=16, shapes=shapes).cell, 7) for shapes in ("fixed", "stream")
    )
    batches = [inputs[0].shape[0] for inputs in streamed.input_sets]
    assert streamed.count_work().flops == fixed.count_work().flops // 16 * sum(batches) // STREAM_LENGTH
    assert streamed.infer_axes() == [(None, 32)]


@pytest.mark.parametrize(
    ("workload", "shapes", "uneven"),
    [("mlp", "fixed", False), ("mlp", "stream", True), ("early_exit", "fixed", True), ("lstm_tagger", "fixed", True)],
)
def test_where_sets_of_inputs_are_not_the_same_work_it_is_known(
    ask: "Ask", workload: str, shapes: str, *, uneven: bool
) -> None:
    assert Problem(ask("numpy", "eager", workload, shapes=shapes).cell, 7).is_uneven is uneven


@pytest.mark.parametrize(("workload", "is_right"), [("conv2d", True), ("mlp", False)])
def test_a_loss_may_lose_what_adding_the_numbers_of_its_outputs_one_by_one_does(
    ask: "Ask", workload: str, *, is_right: bool
) -> None:
    made = problem(ask, workload, task="backward", dtype="float32")
    reference, inputs = workloads.import_reference(workload), made.input_sets[0]
    loss, gradients = reference.backward(made.cell.parameters, made.weights, *inputs)
    numbers = np.size(reference.forward(made.cell.parameters, made.weights, *inputs))
    off = 3e-6  # more than the usual 2e-6
    assert (np.sqrt(numbers) * 2.0**-24 > off) == is_right
    results = [np.asarray(loss * (1 + off)), *gradients.values()]
    found = made.check_case(f"{SET}0", results, FIRST)
    assert [check.passed for check in found.checks] == [is_right, *[True] * len(gradients)]
