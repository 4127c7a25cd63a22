"""The sets of inputs of a user's model: for timed calls, of which some come later, and for calls on new inputs."""

from pathlib import Path

import numpy as np
import pytest

from schemas.job import Cell, Task
from schemas.judging import BEGINNING
from schemas.models import ModelFacts
from workers.models.problem import CHECKED_SETS, ModelProblem
from workers.models.stored_model import StoredModel, name_sets, write_arrays
from workers.problem.problem import INPUT_SETS


def make_problem(folder: Path, number: int, task: Task = "forward") -> ModelProblem:
    """Return a problem of which this number of sets is stored, each with its own number as its values."""
    file = folder / "stored.npz"
    write_arrays(file, name_sets([(np.full(3, place, np.float32),) for place in range(number)]))
    cell = Cell(framework="torch", mode="eager", workload="net", task=task)
    return ModelProblem(cell, 1, StoredModel(file), ModelFacts(plain=True, flops=0, elements=6))


@pytest.mark.parametrize(("stored", "checked", "fresh"), [(4, 0, 0), (6, 2, 0), (8, 4, 0), (11, 4, 3)])
def test_sets_are_for_timed_calls_further_ones_and_such_that_no_call_has_had(
    tmp_path: Path, stored: int, checked: int, fresh: int
) -> None:
    made = make_problem(tmp_path, stored)
    later = dict(made.list_later_sets())
    assert made.timed_sets == INPUT_SETS + checked
    assert [*later] == [*range(2, made.timed_sets)]
    timed = [float(made.read_timed_set(number)[0][0]) for number in range(made.timed_sets)]
    assert timed == [*range(INPUT_SETS + checked)]
    assert [float(inputs[0][0]) for inputs in later.values()] == timed[2:]
    assert {*made.list_cases()} == {f"set {number}" for number in range(made.timed_sets)}
    unseen = [float(inputs[0][0]) for inputs in made.draw_unseen(fresh + 2)]
    assert unseen[:fresh] == [*range(stored - fresh, stored)]
    assert len(unseen) == fresh + 2
    assert checked <= CHECKED_SETS


def test_training_is_verified_from_its_beginning_alone(tmp_path: Path) -> None:
    made = make_problem(tmp_path, 8, "train-sgd")
    assert [*made.list_later_sets()] == []
    assert [*made.list_cases()] == [BEGINNING]
