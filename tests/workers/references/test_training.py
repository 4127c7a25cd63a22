"""The reference trains by the textbook, and training that is only nearly the same is rejected."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import pytest

from schemas.job import Task
from workers import workloads
from workers.arrays import Array
from workers.interfaces import Parameters, Reference
from workers.references.training import STEPS, Training
from workers.verification.tolerance import Expectation, compute_moves, explain_checks, make_training_evaluator

SIZES = {"input": 5, "width": 7, "depth": 2, "output": 3}
LONG_WAY = 10


def begun(task: Task) -> tuple[Training, list[tuple[Array, ...]]]:
    """Return a small network before its training, and inputs for many steps; float32 holds all numbers."""
    network, rng = workloads.import_reference("mlp"), np.random.default_rng(4)
    weights = {name: np.float64(np.float32(weight)) for name, weight in network.weights(SIZES, rng).items()}
    sets = [network.inputs(SIZES, rng, network.shapes(SIZES, 4)[0]) for _ in range(LONG_WAY)]
    return Training(network, task, SIZES, cast("Mapping[str, Array]", weights)), sets


def by_torch(
    optimiser_of: Callable[..., Any], dtype: str, sets: list[tuple[Array, ...]], first: Training
) -> list[Array]:
    """Return losses and moves of the same training by an optimiser of PyTorch."""
    torch = pytest.importorskip("torch")
    from workers.workloads.mlp.torch import Model

    tensors = {name: torch.tensor(weight, dtype=getattr(torch, dtype)) for name, weight in first.weights.items()}
    model, losses = Model(SIZES, {name: tensor.clone() for name, tensor in tensors.items()}), []
    optimiser = optimiser_of(torch.optim)(model.parameters())
    for inputs in sets:
        optimiser.zero_grad()
        loss = model.loss(*(torch.tensor(value, dtype=getattr(torch, dtype)) for value in inputs))
        loss.backward()
        optimiser.step()
        losses.append(loss.detach().numpy())
    now = {name: each.detach().numpy() for name, each in zip(tensors, model.parameters(), strict=True)}
    return [*losses, *compute_moves(now, first.weights).values()]


def sgd(**changes: object) -> Callable[..., Any]:
    return lambda optim: lambda weights: optim.SGD(weights, **({"lr": 0.01, "momentum": 0.9} | changes))


def adam(**changes: object) -> Callable[..., Any]:
    return lambda optim: (
        lambda weights: optim.Adam(weights, **({"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-4} | changes))
    )


def adamw(**changes: object) -> Callable[..., Any]:
    due = {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-4, "weight_decay": 0.1}
    return lambda optim: lambda weights: optim.AdamW(weights, **(due | changes))


FAITHFUL: dict[Task, Callable[..., Any]] = {"train-sgd": sgd(), "train-adam": adam(), "train-adamw": adamw()}
MUTANTS: list[tuple[Task, str, Callable[..., Any]]] = [
    ("train-sgd", "no momentum", sgd(momentum=0)),
    ("train-sgd", "dampening", sgd(dampening=0.1)),
    ("train-sgd", "Nesterov", sgd(nesterov=True)),
    ("train-sgd", "weight decay", sgd(weight_decay=1e-3)),
    ("train-sgd", "a rate 0.1 % off", sgd(lr=0.01001)),
    ("train-adam", "eps 1e-5", adam(eps=1e-5)),
    ("train-adam", "beta 0.99", adam(betas=(0.9, 0.99))),
    ("train-adam", "the largest square", adam(amsgrad=True, betas=(0.9, 0.5))),
    ("train-adam", "weight decay", adam(weight_decay=1e-3)),
    ("train-adamw", "no weight decay", adamw(weight_decay=0)),
    ("train-adamw", "a decay 1 % off", adamw(weight_decay=0.101)),
    ("train-adamw", "decay of the gradient", adam(weight_decay=0.1)),
    ("train-adamw", "eps 1e-5", adamw(eps=1e-5)),
]


@pytest.mark.long
@pytest.mark.parametrize("task", FAITHFUL)
def test_training_by_the_reference_is_that_of_torch_optim_for_many_steps(task: Task) -> None:
    training, sets = begun(task)
    found = by_torch(FAITHFUL[task], "float64", sets, training)
    due = Expectation(make_training_evaluator(training_reference(), task, SIZES, training.weights, sets), "float64")
    assert explain_checks(due.check_tensors(found, "ten steps")) == ""


@pytest.mark.parametrize("task", FAITHFUL)
def test_faithful_training_in_float32_passes(task: Task) -> None:
    assert judged(task, FAITHFUL[task]) == ""


@pytest.mark.parametrize(("task", "name", "mutant"), MUTANTS, ids=[f"{task}, {name}" for task, name, _ in MUTANTS])
def test_another_update_is_rejected_after_three_steps(task: Task, name: str, mutant: Callable[..., Any]) -> None:
    assert "is off by" in judged(task, mutant)


def judged(task: Task, optimiser: Callable[..., Any]) -> str:
    """Return the error of three steps of an optimiser in float32."""
    training, sets = begun(task)
    found = by_torch(optimiser, "float32", sets[:STEPS], training)
    due = Expectation(
        make_training_evaluator(training_reference(), task, SIZES, training.weights, sets[:STEPS]), "float32"
    )
    return explain_checks(due.check_tensors([np.asarray(each, np.float64) for each in found], "three steps"))


def training_reference() -> Reference:
    return workloads.import_reference("mlp")


def folded(weight: Array, gradient: Array, mean: Array, square: Array, step: int) -> tuple[Array, Array, Array]:
    """Take a step of Adam as in Keras: its epsilon is added before the bias correction."""
    mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient * gradient
    rate = 0.001 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return weight - rate * mean / (np.sqrt(square) + 1e-4), mean, square


def test_an_epsilon_on_the_other_side_of_the_bias_correction_is_rejected() -> None:
    training, sets = begun("train-adam")
    network, weights = training_reference(), dict(training.weights)
    moments = {name: (np.zeros_like(weight), np.zeros_like(weight)) for name, weight in weights.items()}
    losses = []
    for step, inputs in enumerate(sets[:STEPS], 1):
        loss, gradients = network.backward(SIZES, weights, *inputs)
        losses.append(np.asarray(loss))
        for name, gradient in gradients.items():
            weights[name], mean, square = folded(weights[name], gradient, *moments[name], step)
            moments[name] = (mean, square)
    due = Expectation(make_training_evaluator(network, "train-adam", SIZES, training.weights, sets[:STEPS]), "float32")
    assert "is off by" in explain_checks(
        due.check_tensors([*losses, *compute_moves(weights, training.weights).values()], "three steps")
    )


@pytest.mark.parametrize("task", FAITHFUL)
def test_training_that_begins_anew_goes_the_same_way_again(task: Task) -> None:
    training, sets = begun(task)
    once = [float(training.step(*inputs)) for inputs in sets]
    training.restart()
    assert [float(training.step(*inputs)) for inputs in sets] == once
    assert len(set(once)) == LONG_WAY


@pytest.mark.parametrize("task", FAITHFUL)
def test_training_goes_down(task: Task) -> None:
    training, (inputs, *_) = begun(task)
    losses = [float(training.step(*inputs)) for _ in range(LONG_WAY)]
    assert losses[-1] < losses[0]


class Normalised:
    """A reference with statistics, which move towards the mean of the inputs and do not affect its loss."""

    @staticmethod
    def backward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Any, dict[str, Array]]:
        return (weights["w"] * x).sum(), {"w": x.sum(axis=0)}

    @staticmethod
    def statistics(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> dict[str, Array]:
        return {"running_mean": 0.9 * weights["running_mean"] + 0.1 * x.mean(axis=0)}


def test_statistics_move_with_training_and_have_no_gradient() -> None:
    weights = {"w": np.ones(2), "running_mean": np.zeros(2)}
    training = Training(cast("Reference", Normalised()), "train-sgd", {}, weights)
    training.step(np.full((3, 2), 10.0))
    training.step(np.full((3, 2), 10.0))
    assert training.weights["running_mean"] == pytest.approx([1.9, 1.9])
    assert training.weights["w"] == pytest.approx(1 - 0.01 * 30 - 0.01 * (0.9 * 30 + 30))


def test_statistics_that_did_not_move_are_wrong() -> None:
    weights = {"w": np.ones(2), "running_mean": np.zeros(2)}
    reference, x = cast("Reference", Normalised()), np.full((3, 2), 10.0)
    due = Expectation(make_training_evaluator(reference, "train-sgd", {}, weights, [(x,)]), "float32")
    still = [np.asarray(60.0), np.full(2, -0.3), np.zeros(2)]
    assert explain_checks(due.check_tensors(still, "one step")).startswith("move of running_mean is off by 1 ")
