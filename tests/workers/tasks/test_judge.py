"""A judge compares all results that are due of a job: those it has saved, and those it has not."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.event import SavedResults, TensorCheck, Verification
from schemas.job import JobSpec
from schemas.judging import (
    AFTER,
    BEFORE,
    BEGINNING,
    CONTINUED,
    FIRST,
    LAST,
    LATER,
    SECOND,
    SET,
    UNQUANTISED,
    WITHIN,
    JudgeRequest,
    name_computation,
)
from workers import workloads
from workers.arrays import Array
from workers.frameworks.numpy import Framework
from workers.interfaces import Step
from workers.measurement.phases import Ledger
from workers.problem.problem import Problem
from workers.results import ResultsWriter
from workers.session import prepare_step
from workers.tasks.judge import Judge, keep_worst, verify_results
from workers.verification.quantised import INT8_TOLERANCE

if TYPE_CHECKING:
    from tests.workers.conftest import Ask


class Job:
    """A job of NumPy's, whose results are right unless a test changes them."""

    def __init__(self, spec: JobSpec, folder: Path) -> None:
        self.spec = spec.model_copy(update={"results": str(folder / "results.npy")})
        self.problem = Problem(spec.cell, spec.seed)
        self.framework = Framework(spec.cell)
        reference = workloads.import_reference(spec.cell.workload)
        model, example = self.framework.build(reference, self.problem.weights), self.problem.input_sets[0]
        axes, ledger = self.problem.infer_axes(), Ledger(lambda _: None)
        self.step: Step = prepare_step(self.framework, model, example, axes, ledger)
        self.results = ResultsWriter(Path(self.spec.results))

    def compute(self, case: str) -> list[Array]:
        return self.problem.compute_results(self.framework, self.step, *self.problem.list_cases()[case])

    def compute_call(self, number: int) -> list[Array]:
        return self.framework.to_numpy(self.step(*self.framework.arrays(self.problem.input_sets[number])))

    def save_all(self, *, without: str = "", scaled: str = "", factor: float = 1.01) -> None:
        """Save all that is due, without the results of one moment, and with those of another one scaled."""
        calls = [(0, FIRST), (1, SECOND), (2, LAST), (1, WITHIN)]
        due = [(f"{SET}{number}", when, self.compute_call(number)) for number, when in calls]
        if self.problem.is_training:
            due += [(BEGINNING, when, self.compute(BEGINNING)) for when in (BEFORE, AFTER)]
        if self.problem.is_continued:
            made = self.problem.continue_training(self.framework, self.step, self.problem.input_sets[0])
            due += [(f"{SET}0", CONTINUED, made)]
        due += [(f"{SET}{number}", LATER, self.compute_call(number)) for number, _ in self.problem.list_later_sets()]
        due += [(case, "new", self.compute(case)) for case in self.problem.new_shapes]
        for case, when, tensors in due:
            if without not in (when, case):
                changed = [factor * each for each in tensors] if scaled in (when, case) else tensors
                self.results.add_results(case, when, changed)

    def verify(self, saved: Sequence[SavedResults] | None = None, **changes: object) -> Verification:
        given = tuple(self.results.saved if saved is None else saved)
        asked = JudgeRequest(spec=self.spec, saved=given, log=os.devnull, folder="")
        return verify_results(self.problem, asked.model_copy(update=changes))


@pytest.fixture(params=[("rnn", "forward"), ("rnn", "backward"), ("mlp", "train-adam"), ("early_exit", "forward")])
def job(request: pytest.FixtureRequest, ask: "Ask", tmp_path: Path) -> Job:
    workload, task = request.param
    return Job(ask("numpy", "eager", workload, task=task, batch=2), tmp_path)


def test_right_results_are_right_and_the_first_ones_are_sketched(job: Job) -> None:
    job.save_all()
    found = job.verify()
    assert (found.reason, all(check.passed for check in found.checks)) == ("", True)
    sketched = {check.inputs.partition(", ")[2] for check in found.checks if check.sketch}
    assert sketched == {BEFORE} if job.problem.is_training else {FIRST, SECOND}


def test_a_job_that_saves_nothing_is_not_right(job: Job) -> None:
    assert job.verify([]).reason == "its report lacks the results of first call"


@pytest.mark.parametrize("without", [FIRST, SECOND, LAST])
def test_a_job_that_leaves_out_a_call_is_not_right(job: Job, without: str) -> None:
    job.save_all(without=without)
    assert job.verify().reason == f"its report lacks the results of {without}"


def test_a_job_that_leaves_out_a_case_is_not_right(job: Job) -> None:
    cases = [*job.problem.new_shapes] or [BEGINNING] * job.problem.is_training
    for case in cases or [LATER]:
        job.results.saved.clear()
        job.save_all(without=case)
        assert "its report lacks the results of " in job.verify().reason


@pytest.mark.parametrize(
    ("scaled", "said"),
    [
        (FIRST, "on input set 0, first call"),
        (SECOND, "right on the inputs it was prepared with, but "),
        (LAST, "on input set 2, last timed call"),
        (WITHIN, "on input set 1, a call within a sample"),
    ],
)
def test_wrong_results_of_any_call_are_found(ask: "Ask", tmp_path: Path, scaled: str, said: str) -> None:
    job = Job(ask("numpy", "eager", "mlp", task="backward"), tmp_path)
    job.save_all(scaled=scaled)
    assert said in job.verify().reason


def test_wrong_results_of_training_and_of_another_shape_are_found(ask: "Ask", tmp_path: Path) -> None:
    training, other = Job(ask("numpy", "eager", "mlp", task="train-sgd"), tmp_path), ask("numpy", "eager", "rnn")
    training.save_all(scaled=AFTER)
    assert "3 steps of training, after all timing" in training.verify().reason
    longer = Job(other, tmp_path)
    longer.save_all(scaled="shape 1")
    assert "right on the shape it was prepared with, but" in longer.verify().reason


def test_the_cause_of_wrong_results_is_told_instead_of_them(ask: "Ask", tmp_path: Path) -> None:
    job = Job(ask("numpy", "eager", "mlp"), tmp_path)
    job.save_all(scaled=SECOND)
    assert job.verify(randomness="two calls differ").reason == "two calls differ"
    job.results.saved.clear()
    job.save_all(scaled=LAST)
    assert "last timed call" in job.verify(randomness="two calls differ").reason
    assert job.verify(changes_inputs=True).reason.startswith(
        "its calls change their inputs in place, and so its results: "
    )


def test_a_cause_without_wrong_results_makes_nothing_wrong(ask: "Ask", tmp_path: Path) -> None:
    job = Job(ask("numpy", "eager", "mlp"), tmp_path)
    job.save_all()
    assert job.verify(randomness="two calls differ", changes_inputs=True).reason == ""


@pytest.mark.parametrize("harm", ["gone", "changed", "cut", "elsewhere"])
def test_a_file_that_is_not_what_the_report_says_is_not_right(ask: "Ask", tmp_path: Path, harm: str) -> None:
    job = Job(ask("numpy", "eager", "mlp"), tmp_path)
    job.save_all()
    file, saved = Path(job.spec.results), job.results.saved
    whole = bytearray(file.read_bytes())
    if harm == "gone":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(whole[:100])
    elif harm == "changed":
        whole[-1] ^= 1
        file.write_bytes(whole)
    else:
        moved = saved[0].tensors[0].model_copy(update={"offset": 3})
        saved = [saved[0].model_copy(update={"tensors": (moved, *saved[0].tensors[1:])}), *saved[1:]]
    assert "its results cannot be read: " in job.verify(saved).reason


def test_jobs_with_the_same_data_share_what_is_right_and_others_do_not(ask: "Ask") -> None:
    one = ask("torch", "trace", "mlp", threads=1)
    same = [ask("numpy", "eager", "mlp"), ask("tensorflow", "function", "mlp", threads=2, replica=1)]
    other = [ask("torch", "trace", "mlp", **each) for each in ({"batch": 2}, {"task": "forward"}, {"dtype": "float64"})]
    assert {name_computation(each) for each in same} == {name_computation(one)}
    keys = {
        name_computation(each)
        for each in [*other, one, one.model_copy(update={"seed": 8}), ask("torch", "trace", "rnn")]
    }
    assert len(keys) == len(other) + 3


def test_a_judge_finds_a_problem_again_and_lets_go_of_old_ones_when_they_are_large(
    ask: "Ask", monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, specs = Judge(), [ask("numpy", "eager", "mlp", batch=batch) for batch in range(1, 6)]
    made = [judge.find_problem(spec) for spec in specs]
    assert [judge.find_problem(spec) for spec in specs] == made
    monkeypatch.setattr("workers.tasks.judge.MAX_KEPT_BYTES", sum(each.count_bytes() for each in made[3:]))
    assert judge.find_problem(specs[-1]) is made[-1]
    assert judge.find_problem(specs[-2]) is made[-2]
    assert judge.find_problem(specs[0]) is not made[0]


def test_of_checks_that_are_named_alike_the_worst_is_kept() -> None:
    checks = [
        TensorCheck(tensor="output", inputs="one", error=error, worst=error, tolerance=1, passed=passed)
        for error, passed in ((0.1, True), (0.3, True), (2.0, False), (0.2, True))
    ]
    (kept,) = keep_worst(checks)
    assert kept.error == 2.0


def test_tensors_that_were_saved_before_are_not_saved_again(tmp_path: Path) -> None:
    results = ResultsWriter(tmp_path / "file")
    values = np.arange(1000.0)
    results.add_results("set 0", FIRST, [values, values[::2]])
    size = (tmp_path / "file").stat().st_size
    results.add_results("set 0", LAST, [values.copy(), values[::2]])
    assert (tmp_path / "file").stat().st_size == size
    assert results.saved[0].tensors == results.saved[1].tensors


@pytest.fixture
def quantised(ask: "Ask", tmp_path: Path) -> Job:
    job = Job(ask("numpy", "eager", "mlp", task="forward", batch=4), tmp_path)
    job.spec = job.spec.model_copy(update={"cell": job.spec.cell.model_copy(update={"mode": "int8-dynamic"})})
    return job


def test_a_mode_in_8_bits_may_be_off_by_its_own_limit_and_its_model_only_by_that_of_float32(quantised: Job) -> None:
    quantised.save_all(scaled=FIRST, factor=1.2)
    quantised.results.add_results(f"{SET}0", UNQUANTISED, quantised.compute_call(0))
    found = quantised.verify()
    assert found.reason == ""
    tolerances = {check.tolerance for check in found.checks if not check.inputs.endswith(UNQUANTISED)}
    assert tolerances == {INT8_TOLERANCE}
    (model,) = [check for check in found.checks if check.inputs.endswith(UNQUANTISED)]
    assert model.tolerance < 1e-4
    assert model.equal_argmax is None
    assert {check.equal_argmax for check in found.checks} == {None, 1.0}


def test_a_mode_in_8_bits_is_wrong_beyond_its_limit(quantised: Job) -> None:
    quantised.save_all(scaled=LAST, factor=1.3)
    quantised.results.add_results(f"{SET}0", UNQUANTISED, quantised.compute_call(0))
    assert quantised.verify().reason.startswith("output is off by 0.3 (tolerance 0.25)")


def test_a_mode_in_8_bits_of_another_model_is_wrong_within_its_limit(quantised: Job) -> None:
    quantised.save_all()
    quantised.results.add_results(f"{SET}0", UNQUANTISED, [1.01 * each for each in quantised.compute_call(0)])
    assert quantised.verify().reason == f"output is off by 0.01 (tolerance 2e-06) on input set 0, {UNQUANTISED}"


def test_a_mode_in_8_bits_that_leaves_its_model_unverified_is_not_right(quantised: Job) -> None:
    quantised.save_all()
    assert quantised.verify().reason == f"its report lacks the results of {SET}0 {UNQUANTISED}"
