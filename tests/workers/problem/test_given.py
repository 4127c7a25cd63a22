"""A measured process is given the same data as the judge has, and nothing that is expected."""

import itertools
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.job import JobSpec
from workers.problem.given import FEW_UNSEEN, GivenProblem, problem_from_given, write_problem
from workers.problem.problem import Problem

if TYPE_CHECKING:
    from tests.workers.conftest import Ask
from workers.artefacts import ArtefactChanged, artefact_from_file

CASES = [
    ("mlp", {"task": "backward"}),
    ("mlp", {"task": "train-adam"}),
    ("mlp", {"dtype": "float64"}),
    ("mlp", {"dtype": "bfloat16"}),
    ("rnn", {}),
    ("early_exit", {"task": "forward"}),
    ("embedding_bag", {}),
    ("mlp", {"shapes": "stream"}),
]


def write(spec: JobSpec, folder: Path) -> tuple[Problem, GivenProblem]:
    """Return a problem, and the same as it is read from its file."""
    problem = Problem(spec.cell, spec.seed)
    write_problem(problem, folder / "data.npz")
    return problem, GivenProblem(spec.cell, folder / "data.npz")


@pytest.mark.parametrize(("workload", "fields"), CASES)
def test_what_is_read_is_what_was_drawn(ask: "Ask", tmp_path: Path, workload: str, fields: dict[str, str]) -> None:
    drawn, read = write(ask("numpy", "eager", workload, batch=3, **fields), tmp_path)
    assert read.hash_data() == drawn.hash_data()
    assert [*read.weights] == [*drawn.weights]
    assert all(np.array_equal(read.weights[name], drawn.weights[name]) for name in drawn.weights)
    assert read.infer_axes() == drawn.infer_axes()
    assert (read.is_uneven, read.is_streaming) == (drawn.is_uneven, drawn.is_streaming)
    assert [*read.list_cases()] == [*drawn.list_cases()]
    assert [number for number, _ in read.list_later_sets()] == [number for number, _ in drawn.list_later_sets()]
    for one, other in zip(drawn.input_sets, read.input_sets, strict=True):
        assert [value.dtype for value in one] == [value.dtype for value in other]


def test_a_file_holds_nothing_that_is_expected(ask: "Ask", tmp_path: Path) -> None:
    write(ask("numpy", "eager", "mlp", task="backward"), tmp_path)
    with zipfile.ZipFile(tmp_path / "data.npz") as whole:
        kinds = {name.partition(".")[0] for name in whole.namelist()}
    assert kinds == {"weights", "inputs", "further", "unseen", "facts"}


@pytest.mark.parametrize(("workload", "fields"), CASES)
def test_further_timed_sets_are_those_whose_results_the_judge_can_find(
    ask: "Ask", tmp_path: Path, workload: str, fields: dict[str, str]
) -> None:
    spec = ask("numpy", "eager", workload, batch=3, **fields)
    drawn, read = write(spec, tmp_path)
    other = Problem(spec.cell, spec.seed)  # that of a judge which has not written the file
    timed = [read.read_timed_set(number) for number in range(read.timed_sets)]
    assert (read.timed_sets > len(drawn.input_sets)) is not drawn.is_uneven
    for number, inputs in enumerate(timed):
        assert all(map(np.array_equal, inputs, other.read_timed_set(number)))
        assert all(map(np.array_equal, inputs, drawn.read_timed_set(number)))
    if not drawn.is_uneven:
        assert len({inputs[0].tobytes() for inputs in (*timed, *read.draw_unseen(FEW_UNSEEN))}) == (
            read.timed_sets + FEW_UNSEEN
        )


@pytest.mark.parametrize(("workload", "fields"), CASES)
def test_inputs_that_no_call_has_had_never_end_and_are_new(
    ask: "Ask", tmp_path: Path, workload: str, fields: dict[str, str]
) -> None:
    drawn, read = write(ask("numpy", "eager", workload, batch=3, **fields), tmp_path)
    unseen = [*read.draw_unseen(FEW_UNSEEN + 4)]
    assert len(unseen) == FEW_UNSEEN + 4
    for inputs, timed in zip(unseen, itertools.cycle(drawn.input_sets), strict=False):
        assert [value.shape for value in inputs] == [value.shape for value in timed] or drawn.is_streaming
    if not drawn.is_uneven:
        known = {inputs[0].tobytes() for inputs in drawn.input_sets}
        assert not known & {inputs[0].tobytes() for inputs in unseen[:FEW_UNSEEN]}


def test_a_file_that_has_changed_is_refused(ask: "Ask", tmp_path: Path) -> None:
    spec = ask("numpy", "eager", "mlp")
    write(spec, tmp_path)
    given = spec.model_copy(update={"data": artefact_from_file(tmp_path / "data.npz")})
    assert problem_from_given(given).input_sets
    with (tmp_path / "data.npz").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ArtefactChanged):
        problem_from_given(given)
