"""Training in Keras is the reference's update by optimisers of Keras, and one that is only nearly the same is found."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.selection import mark_long

if TYPE_CHECKING:
    from tests.workers.conftest import Python

pytestmark = pytest.mark.skipif(find_spec("keras") is None, reason="keras is not installed")

TASKS = ("train-sgd", "train-adam", "train-adamw")
# One mode of each backend, in which the optimiser runs as the backend has it; the contract tries all modes.
MODES = ("torch", "tensorflow-function", "jax-jit")

BEGINNING = """
import json
from functools import partial

from schemas.job import Cell
from tests.workers.conftest import defaults
from tests.workers.implementations import verdict
from workers.frameworks import import_framework

kind = import_framework("keras", f"workers.frameworks.keras_{MODE.partition('-')[0]}")

def make_cell(workload, task, **sizes):
    parameters = defaults(workload) | sizes
    return Cell(framework="keras", mode=MODE, workload=workload, task=task, parameters=parameters, batch=3)

def find_fault(*names, **sizes):
    return verdict(kind, make_cell(*names, **sizes))

kind(make_cell("mlp", "train-sgd")).apply_settings()

import keras
from workers.frameworks.keras_training import OPTIMISERS

told = {}
"""
END = "\nprint(json.dumps(told))"

# Each replaces the optimiser of a task by another one.
MUTANTS: Mapping[str, tuple[str, str]] = {
    "no momentum": ("train-sgd", "partial(keras.optimizers.SGD, learning_rate=0.01)"),
    "Nesterov": ("train-sgd", "partial(keras.optimizers.SGD, learning_rate=0.01, momentum=0.9, nesterov=True)"),
    "a rate 0.1 % off": ("train-sgd", "partial(keras.optimizers.SGD, learning_rate=0.01001, momentum=0.9)"),
    "the epsilon of Keras": ("train-adam", "partial(Fixed, learning_rate=0.001)"),
    "a beta": ("train-adam", "partial(keras.optimizers.Adam, learning_rate=0.001, beta_2=0.99)"),
    "a clipped gradient": ("train-adam", "partial(keras.optimizers.Adam, learning_rate=0.001, clipvalue=1e-3)"),
    "no decay": ("train-adamw", "partial(keras.optimizers.Adam, learning_rate=0.001)"),
    "a decay 1 % off": ("train-adamw", "partial(keras.optimizers.AdamW, learning_rate=0.001, weight_decay=0.101)"),
    "no decay of a bias": ("train-adamw", "partial(Sparing, learning_rate=0.001, weight_decay=0.1)"),
}
KINDS = """
class Fixed(keras.optimizers.Adam):
    epsilon = property(lambda self: 1e-4, lambda self, given: None)

class Sparing(keras.optimizers.AdamW):
    def build(self, variables):
        self.exclude_from_weight_decay(var_names=["bias"])
        super().build(variables)
"""

Tell = Callable[[str, Sequence[str]], dict[str, Any]]


@pytest.fixture
def tell(python: "Python") -> Tell:
    """Run lines of a program in a mode, and return what they have put into `told`."""

    def run(mode: str, lines: Sequence[str]) -> dict[str, Any]:
        if find_spec(mode.partition("-")[0]) is None:
            pytest.skip(f"{mode} needs a backend that is not installed")
        ended = python("\n".join([f"MODE = {mode!r}", BEGINNING, *lines, END]))
        assert ended.status == 0, ended.log
        found: dict[str, Any] = json.loads(ended.output.splitlines()[-1])
        return found

    return run


every_mode = pytest.mark.parametrize("mode", mark_long(MODES, quick=["torch"]))


@every_mode
def test_another_optimiser_of_keras_is_found_after_three_steps(tell: Tell, mode: str) -> None:
    lines = [f"told[{task!r}] = find_fault('mlp', {task!r})" for task in TASKS] + [KINDS]
    for name, (task, made) in MUTANTS.items():
        lines += [f"OPTIMISERS[{task!r}] = {made}", f"told[{name!r}] = find_fault('mlp', {task!r})"]
    told = tell(mode, lines)
    assert {name: told[name] for name in TASKS} == dict.fromkeys(TASKS, "")
    assert {name for name in MUTANTS if "is off by" not in told[name]} == set()


MOMENTS = """
import numpy as np
from tests.workers.implementations import prepare_step
from workers.measurement.phases import Ledger
from workers.problem.problem import Problem
from workers.references.training import Training
from workers.workloads import import_implementation, import_reference

for task in ("train-sgd", "train-adam", "train-adamw"):
    cell = make_cell("mlp", task)
    framework, problem = kind(cell), Problem(cell, 7)
    model = framework.build(import_implementation("mlp", "keras"), problem.weights)
    example = framework.arrays(problem.input_sets[0])
    step = prepare_step(framework, model, example, problem.infer_axes(), Ledger(lambda _: None))
    training = Training(import_reference("mlp"), task, cell.parameters, problem.weights)
    for inputs in problem.input_sets[:4]:
        step(*framework.arrays(inputs))
        training.step(*inputs)
    due, found = training.read_moments(), framework.to_numpy(framework.trainer.read_moments())
    number = len(problem.weights)
    for start in range(0, len(due) // number * number, number):
        found[start : start + number] = framework.to_reference(found[start : start + number])
    told[task] = {
        "moments": len(found),
        "expected": len(due),
        "error": max(np.linalg.norm(one - other) / np.linalg.norm(other) for one, other in zip(found, due)),
        "last": float(found[-1]) if found[-1].ndim == 0 else None,
    }
"""


@every_mode
def test_moments_are_read_as_the_reference_keeps_them(tell: Tell, mode: str) -> None:
    told = tell(mode, [MOMENTS])
    weights = 6
    for task, number, last in (("train-sgd", weights, None), *((task, 2 * weights + 1, 4.0) for task in TASKS[1:])):
        found = told[task]
        assert (found["moments"], found["expected"], found["last"]) == (number, number, last)
        assert found["error"] < 1e-4


SMALL = "size=9, width=2, blocks=1, classes=3, large_stem=0"


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES)
def test_a_running_variance_over_n_as_keras_has_it_is_found(tell: Tell, mode: str) -> None:
    lines = [
        f"told['corrected'] = find_fault('resnet', 'train-sgd', {SMALL})",
        "from workers.workloads.resnet.keras import Model",
        "Model.training_loss = Model.loss",
        f"told['biased'] = find_fault('resnet', 'train-sgd', {SMALL})",
    ]
    told = tell(mode, lines)
    assert told["corrected"] == ""
    assert told["biased"].startswith("move of running_variance_stem is off by")


@pytest.mark.long
@pytest.mark.parametrize("mode", [*MODES, "tensorflow"])
def test_rows_of_a_table_that_are_looked_up_twice_are_updated_once(tell: Tell, mode: str) -> None:
    assert tell(mode, ["told['twice'] = find_fault('embedding_bag', 'train-adam', entries=2)"]) == {"twice": ""}


ROWS = """
import tensorflow as tf

def find_square(convert):
    table = keras.layers.Embedding(2, 1)
    table.build()
    optimiser = keras.optimizers.Adam(epsilon=1.0)
    optimiser.build([table.embeddings])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(table(tf.constant([1, 1])))
    optimiser.apply([convert(tape.gradient(loss, table.embeddings.value))], [table.embeddings])
    return float(next(each for each in optimiser.variables if each.name.endswith("velocity")).numpy()[1, 0])

told = {"rows": find_square(lambda gradient: gradient), "dense": find_square(tf.convert_to_tensor)}
"""


@pytest.mark.long
def test_keras_squares_the_parts_of_a_gradient_of_rows_which_is_why_it_is_made_dense(tell: Tell) -> None:
    found = tell("tensorflow", [ROWS])
    # Both lookups of the row have the gradient 1: the sum of their squares is 2, and the square of their sum 4.
    assert found == pytest.approx({"rows": 0.002, "dense": 0.004}, rel=1e-5)
