"""Stored results equal those of the formulas: results are judged alike by both."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.job import Task
from workers import workloads
from workers.arrays import Array, cast_floating
from workers.frameworks.numpy import Framework
from workers.measurement.phases import Ledger
from workers.problem.problem import Problem
from workers.session import prepare_step
from workers.verification import stored_reference
from workers.verification.stored_reference import Cases
from workers.verification.tolerance import Expectation

if TYPE_CHECKING:
    from tests.workers.conftest import Ask

TASKS: tuple[Task, ...] = ("forward", "backward", "train-sgd", "train-adam")
every_task = pytest.mark.parametrize("task", TASKS)


class Written:
    """The same problem twice: with formulas, and with their results in a file."""

    def __init__(self, ask: "Ask", folder: Path, task: Task) -> None:
        self.cell = ask("numpy", "eager", "rnn", {"length": 4}, task=task, batch=3).cell
        self.plain = Problem(self.cell, 7)
        self.path = folder / "expected.npz"
        stored_reference.write_cases(self.path, ((dtype, self.given(dtype)) for dtype in ("float64", "float32")))
        self.problem = Problem(self.cell, 7, expected=self.path)

    def given(self, dtype: str) -> Cases:
        for case, sets in self.plain.list_cases().items():
            yield case, self.results(dtype, *sets)

    def results(self, dtype: str, *sets: tuple[Array, ...]) -> list[Array]:
        framework = Framework(self.cell.model_copy(update={"dtype": dtype}))
        model = framework.build(workloads.import_reference("rnn"), self.plain.weights)
        step = prepare_step(framework, model, (), (), Ledger(lambda _: None))
        return self.plain.compute_results(framework, step, *sets)

    def expectations(self) -> Iterator[tuple[Expectation, Expectation]]:
        for case in self.plain.list_cases():
            yield self.plain._make_expectation(case), self.problem._make_expectation(case)  # noqa: SLF001 (what is compared here)


@every_task
def test_the_tensors_are_those_of_the_formulas_with_the_same_names_and_tolerances(
    ask: "Ask", tmp_path: Path, task: Task
) -> None:
    for formulas, file in Written(ask, tmp_path, task).expectations():
        assert list(file.tensors) == list(formulas.tensors)
        for name, tensor in formulas.tensors.items():
            assert file.tensors[name] == pytest.approx(tensor, rel=1e-12)
            assert file.compute_tolerance(name) == pytest.approx(formulas.compute_tolerance(name), rel=0.5)


@every_task
def test_an_honest_result_passes_and_one_that_is_off_by_a_thousandth_does_not(
    ask: "Ask", tmp_path: Path, task: Task
) -> None:
    written = Written(ask, tmp_path, task)
    for case, sets in written.plain.list_cases().items():
        due = written.problem._make_expectation(case)  # noqa: SLF001 (as above)
        honest = written.results("float32", *sets)
        assert all(check.passed for check in due.check_tensors(honest, case))
        for place in range(len(honest)):
            off = [value * 1.001 if number == place else value for number, value in enumerate(honest)]
            assert [check.passed for check in due.check_tensors(off, case)].count(False) == 1


@every_task
def test_the_work_of_a_call_is_the_same(ask: "Ask", tmp_path: Path, task: Task) -> None:
    written = Written(ask, tmp_path, task)
    assert written.problem.count_work() == written.plain.count_work()


def test_a_file_is_one_of_numpys_in_which_nothing_is_pickled(tmp_path: Path) -> None:
    tensors = [np.arange(3.0), np.asarray(2.5), np.ones((2, 0))]
    stored_reference.write_cases(tmp_path / "x.npz", [("float32", [("set 0", tensors)])])
    with np.load(tmp_path / "x.npz", allow_pickle=False) as kept:
        assert kept.files == ["float32.set 0.0", "float32.set 0.1", "float32.set 0.2"]
        for name, tensor in zip(kept.files, tensors, strict=True):
            assert kept[name].dtype == np.float32
            assert np.array_equal(kept[name], cast_floating(tensor, np.float32))


def test_more_than_ten_tensors_keep_their_order(tmp_path: Path) -> None:
    tensors = [np.full(1, number) for number in range(23)]
    stored_reference.write_cases(tmp_path / "x.npz", [("float64", [("set 0", tensors), ("set 01", [np.zeros(1)])])])
    kept = stored_reference.StoredReference(tmp_path / "x.npz", "forward", {}).read_tensors("set 0")
    assert [float(tensor[0]) for tensor in kept] == list(range(23))


def test_an_output_alone_has_the_name_that_an_output_has(tmp_path: Path) -> None:
    stored_reference.write_cases(
        tmp_path / "x.npz", [("float64", [("one", [np.ones(2)]), ("two", [np.ones(2), np.ones(3)])])]
    )
    kept = stored_reference.StoredReference(tmp_path / "x.npz", "forward", {})
    assert [list(Expectation(kept.make_evaluator(case), "float64").tensors) for case in ("one", "two")] == [
        ["output"],
        ["output 0", "output 1"],
    ]
