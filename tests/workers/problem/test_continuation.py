"""Training is verified from where the timed steps have ended, with what the optimiser keeps."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from schemas.event import Verification
from schemas.judging import CONTINUED
from workers import workloads
from workers.arrays import Array
from workers.frameworks.numpy import Framework, NumpyTrainer
from workers.problem.problem import Problem
from workers.references.training import Training
from workers.verification.tolerance import MIN_TOLERANCE, perturb_values

if TYPE_CHECKING:
    from tests.workers.conftest import Ask

TASKS = ["train-sgd", "train-adam", "train-adamw"]


class Trained:
    """A step of training in NumPy, after some timed steps."""

    def __init__(self, ask: "Ask", task: str, workload: str = "mlp", steps: int = 40, dtype: str = "float32") -> None:
        cell = ask("numpy", "eager", workload, task=task, batch=4, dtype=dtype).cell
        self.problem, self.framework = Problem(cell, 3), Framework(cell)
        reference, weights = self.framework.build(workloads.import_reference(workload), self.problem.weights)
        self.training = Training(reference, cell.task, cell.parameters, weights)
        self.framework.trainer = NumpyTrainer(self.training)
        for number in range(steps):
            self.step(*self.framework.arrays(self.problem.input_sets[number % len(self.problem.input_sets)]))

    def step(self, *inputs: object) -> tuple[Any, ...]:
        return (self.training.step(*cast("tuple[Array, ...]", inputs)),)

    def change_moments(self, change: Callable[[int, Array], Array]) -> None:
        """Change each array that the optimiser keeps, by its number from the end: 0 is the count of steps."""
        moments = self.training.read_moments()
        changed = [change(len(moments) - 1 - number, each) for number, each in enumerate(moments)]
        self.training.restore_state(self.training.weights, changed)

    def verify(self, step: Callable[..., Any] | None = None, number: int = 2) -> Verification:
        inputs = self.problem.read_timed_set(number)
        results = self.problem.continue_training(self.framework, step or self.step, inputs)
        return self.problem.check_case(f"set {number}", results, CONTINUED)


@pytest.mark.parametrize("steps", [0, 3, 400])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_honest_step_is_right_wherever_training_has_come_to(ask: "Ask", task: str, steps: int, dtype: str) -> None:
    found = Trained(ask, task, steps=steps, dtype=dtype).verify()
    assert found.reason == ""
    assert {check.tensor.partition(" ")[0] for check in found.checks} == {"loss", "move"}
    assert all("the step after all timed ones" in check.inputs for check in found.checks)


@pytest.mark.parametrize("number", [1, 17])
def test_the_inputs_may_be_any_that_are_timed(ask: "Ask", number: int) -> None:
    assert Trained(ask, "train-adam").verify(number=number).reason == ""


def test_a_loss_that_has_become_nothing_may_be_flushed_to_zero(ask: "Ask") -> None:
    trained = Trained(ask, "train-sgd")
    weights = {name: np.zeros_like(weight) for name, weight in trained.training.weights.items()}
    weights |= {name: np.full_like(weight, 1e-21) for name, weight in weights.items() if weight.ndim == 1}
    trained.training.restore_state(weights, [np.zeros_like(each) for each in trained.training.read_moments()])
    (loss,) = trained.step(*trained.framework.arrays(trained.problem.input_sets[2]))
    assert 0 < loss < 1e-38
    trained.training.restore_state(weights, [np.zeros_like(each) for each in trained.training.read_moments()])

    def flush(*inputs: object) -> tuple[Any, ...]:
        (loss,) = trained.step(*inputs)
        return (np.zeros_like(loss),)

    assert trained.verify(flush).reason == ""


def test_a_loss_whose_terms_cancel_is_judged_on_their_size(ask: "Ask") -> None:
    trained, relative = Trained(ask, "train-sgd", "rnn", steps=1000), list[float]()
    state = dict(trained.training.weights), trained.training.read_moments()

    def take_step(*inputs: object, off: np.random.Generator | None = None) -> tuple[Any, ...]:
        """Take the step from weights that are up to one rounding off."""
        weights = {name: perturb_values(each, off) for name, each in state[0].items()}
        trained.training.restore_state(weights, state[1])
        return trained.step(*inputs)

    for number in range(24):
        inputs = trained.framework.arrays(trained.problem.read_timed_set(number))
        round_otherwise = partial(take_step, off=np.random.default_rng(number))
        (right,), (other,) = take_step(*inputs), round_otherwise(*inputs)
        relative.append(abs(float(other - right) / float(right)))
        trained.training.restore_state(*state)
        found = trained.verify(round_otherwise, number)
        assert (found.reason, found.checks[0].tolerance) == ("", MIN_TOLERANCE["float32"])
    assert max(relative) > MIN_TOLERANCE["float32"]


def test_statistics_go_on_as_well(ask: "Ask") -> None:
    trained = Trained(ask, "train-sgd", "cnn", steps=3)
    assert trained.verify().reason == ""


def skip_update(trained: Trained, inputs: Sequence[object]) -> tuple[Any, ...]:
    """Return the true loss, and leave the weights alone."""
    weights = dict(trained.training.weights)
    outputs = trained.step(*inputs)
    trained.training.weights = weights
    return outputs


def forget_moments(trained: Trained, inputs: Sequence[object]) -> tuple[Any, ...]:
    """Take a step as if it were the first one of its optimiser."""
    trained.change_moments(lambda _, each: np.zeros_like(each))
    return trained.step(*inputs)


def halve_squares(trained: Trained, inputs: Sequence[object]) -> tuple[Any, ...]:
    """Keep second moments that are too small."""
    number = len(trained.problem.weights)
    trained.change_moments(lambda place, each: each / 2 if 1 <= place <= number else each)
    return trained.step(*inputs)


def freeze_count(trained: Trained, inputs: Sequence[object]) -> tuple[Any, ...]:
    """Correct the moments as in the first step, as a graph does that has recorded its number."""
    trained.change_moments(lambda place, each: each if place else np.zeros_like(each))
    return trained.step(*inputs)


def repeat_loss(trained: Trained, inputs: Sequence[object]) -> tuple[Any, ...]:
    """Train, and return a loss that is not that of the step."""
    (loss,) = trained.step(*inputs)
    return (loss * 3,)


@pytest.mark.parametrize(
    ("task", "cheat", "said"),
    [
        *((task, skip_update, "move of") for task in TASKS),
        *((task, forget_moments, "move of") for task in TASKS),
        *((task, halve_squares, "move of") for task in TASKS[1:]),
        *((task, freeze_count, "move of") for task in TASKS[1:]),
        *((task, repeat_loss, "loss is off by") for task in TASKS),
    ],
)
def test_a_step_that_leaves_out_a_part_of_its_work_is_wrong(
    ask: "Ask", task: str, cheat: Callable[[Trained, Sequence[object]], tuple[Any, ...]], said: str
) -> None:
    trained = Trained(ask, task)
    reason = trained.verify(lambda *inputs: cheat(trained, inputs)).reason
    assert said in reason
    assert "the step after all timed ones" in reason


def test_large_weights_and_optimisers_of_ones_own_are_verified_from_their_beginning_alone(
    ask: "Ask", monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_continued(task: str) -> bool:
        return Problem(ask("numpy", "eager", "mlp", task=task).cell, 1).is_continued

    assert [is_continued(task) for task in (*TASKS, "train-own", "backward")] == [True, True, True, False, False]
    monkeypatch.setattr("workers.problem.problem.MAX_CONTINUED_BYTES", 100)
    assert not is_continued("train-sgd")
