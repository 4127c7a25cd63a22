"""Every workload's reference is right, by finite differences and by hand: all frameworks are checked against it."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.job import Task
from schemas.workloads import WORKLOADS, Workload
from tests.workers.counting import Counting
from workers import workloads
from workers.arrays import Array, cast_floating
from workers.errors import Unsupported
from workers.interfaces import HasFlops, Reference, select_trained
from workers.references.generation import run_loop
from workers.verification.tolerance import name_outputs

if TYPE_CHECKING:
    from workers.interfaces import Parameters

every_workload = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
# A model that is called in a loop has no gradients.
every_differentiable = pytest.mark.parametrize(
    "workload", [workload for workload in WORKLOADS if not workload.loop], ids=lambda workload: workload.name
)
every_batch = pytest.mark.parametrize("batch", [1, 3])


def smallest(workload: Workload) -> "Parameters":
    return {size.name: size.minimum for size in workload.parameters}


def all_different(workload: Workload) -> "Parameters":
    """Choose sizes that no two axes share, so that a transposed product cannot go unnoticed."""
    return {
        size.name: max(size.minimum, min(size.default, 3 + place)) for place, size in enumerate(workload.parameters)
    }


every_size = pytest.mark.parametrize("sizes", [smallest, all_different], ids=["smallest", "all different"])
Sizes = Callable[[Workload], "Parameters"]


class Drawn:
    """A reference with weights and inputs in float64."""

    def __init__(self, workload: Workload, sizes: Sizes, batch: int, seed: int = 5) -> None:
        rng = np.random.default_rng(seed)
        self.sizes = sizes(workload)
        self.reference: Reference = workloads.import_reference(workload.name)
        self.weights = self.reference.weights(self.sizes, rng)
        self.shapes = self.reference.shapes(self.sizes, batch)
        self.inputs = self.reference.inputs(self.sizes, rng, self.shapes[0])

    def loss(self, name: str, change: Array) -> float:
        """Return the loss with one weight changed."""
        moved = self.weights | {name: self.weights[name] + change}
        return float(self.reference.backward(self.sizes, moved, *self.inputs)[0])


@every_workload
@every_size
def test_every_workload_can_be_made_small_enough_to_be_looked_at_closely(workload: Workload, sizes: Sizes) -> None:
    drawn = Drawn(workload, sizes, batch=3)
    assert sum(value.size for value in (*drawn.weights.values(), *drawn.inputs)) < 100_000


@pytest.mark.long
@every_differentiable
@every_size
@pytest.mark.parametrize("batch", [1, 3])
def test_every_gradient_is_the_slope_of_the_loss_in_random_directions(
    workload: Workload, sizes: Sizes, batch: int
) -> None:
    drawn, rng, tiny = Drawn(workload, sizes, batch), np.random.default_rng(11), 1e-6
    _, gradients = drawn.reference.backward(drawn.sizes, drawn.weights, *drawn.inputs)
    assert list(gradients) == list(select_trained(drawn.weights))
    for name, gradient in gradients.items():
        assert gradient.shape == drawn.weights[name].shape
        for _ in range(3):
            direction = rng.standard_normal(gradient.shape)
            slope = (drawn.loss(name, tiny * direction) - drawn.loss(name, -tiny * direction)) / (2 * tiny)
            size = np.linalg.norm(gradient) * np.linalg.norm(direction)
            assert np.sum(gradient * direction) == pytest.approx(slope, abs=1e-7 * max(1.0, float(size)))


@every_differentiable
@every_size
def test_no_gradient_is_zero_everywhere(workload: Workload, sizes: Sizes) -> None:
    drawn = Drawn(workload, sizes, batch=4)
    _, gradients = drawn.reference.backward(drawn.sizes, drawn.weights, *drawn.inputs)
    assert all(np.any(gradient != 0) for gradient in gradients.values())


@every_workload
@every_batch
def test_inputs_have_the_shapes_that_were_asked_for(workload: Workload, batch: int) -> None:
    drawn = Drawn(workload, all_different, batch)
    for shapes in drawn.shapes:
        inputs = drawn.reference.inputs(drawn.sizes, np.random.default_rng(1), shapes)
        assert tuple(value.shape for value in inputs) == shapes


@every_workload
def test_the_batch_multiplies_every_input(workload: Workload) -> None:
    one, three = (Drawn(workload, all_different, batch).shapes for batch in (1, 3))
    for alone, together in zip(one, three, strict=True):
        assert [math.prod(shape) for shape in together] == [3 * math.prod(shape) for shape in alone]


@every_workload
def test_other_shapes_are_indeed_other_ones(workload: Workload) -> None:
    timed, *others = Drawn(workload, all_different, batch=3).shapes
    assert timed not in others
    assert len(set(others)) == len(others)


@every_workload
def test_the_same_generator_draws_the_same_weights_and_another_draws_others(workload: Workload) -> None:
    one, again, other = (Drawn(workload, all_different, 3, seed).weights for seed in (5, 5, 6))
    for name in one:
        assert np.array_equal(one[name], again[name])
        assert not np.array_equal(one[name], other[name])


# What a normalisation undoes has no slope: gradients from before it are differences of nearly equal numbers. They are
# only as exact as all gradients together.
CANCELLING = {"resnet", "transformer_encoder", "gpt"}


@every_differentiable
@every_size
@every_batch
def test_float32_in_is_float32_out_and_close_to_float64(workload: Workload, sizes: Sizes, batch: int) -> None:
    drawn = Drawn(workload, sizes, batch)
    single = {name: weight.astype(np.float32) for name, weight in drawn.weights.items()}
    inputs = [cast_floating(value, np.float32) for value in drawn.inputs]
    loss, gradients = drawn.reference.backward(drawn.sizes, single, *inputs)
    _, exact = drawn.reference.backward(drawn.sizes, drawn.weights, *drawn.inputs)
    outputs = name_outputs(drawn.reference.forward(drawn.sizes, single, *inputs))
    assert {output.dtype for output in outputs.values()} == {np.dtype(np.float32)}
    assert loss.dtype == np.float32
    together = np.linalg.norm([np.linalg.norm(gradient) for gradient in exact.values()])
    for name, gradient in gradients.items():
        assert gradient.dtype == np.float32
        size = together if workload.name in CANCELLING else np.linalg.norm(exact[name])
        assert np.linalg.norm(gradient - exact[name]) <= 1e-5 * size


@every_differentiable
def test_neither_weights_nor_inputs_are_changed_by_computing(workload: Workload) -> None:
    drawn, untouched = Drawn(workload, all_different, 3), Drawn(workload, all_different, 3)
    drawn.reference.forward(drawn.sizes, drawn.weights, *drawn.inputs)
    drawn.reference.backward(drawn.sizes, drawn.weights, *drawn.inputs)
    assert all(np.array_equal(drawn.weights[name], untouched.weights[name]) for name in drawn.weights)
    assert all(np.array_equal(a, b) for a, b in zip(drawn.inputs, untouched.inputs, strict=True))


def test_one_step_of_the_recurrent_network_by_hand() -> None:
    cell = workloads.import_reference("rnn_cell")
    weights = {"W_h": np.array([[0.5, -1.0], [0.0, 2.0]]), "W_x": np.array([[1.0], [-3.0]])}
    x, previous = np.array([[0.1]]), np.array([[0.2, 0.3]])
    due = np.tanh([[0.5 * 0.2 - 1.0 * 0.3 + 0.1], [2.0 * 0.3 - 3.0 * 0.1]])
    assert cell.forward({}, weights, x, previous) == pytest.approx(due)
    assert cell.backward({}, weights, x, previous)[0] == pytest.approx(due.sum())


def test_the_recurrent_network_is_its_cell_applied_to_each_step_in_turn() -> None:
    rng = np.random.default_rng(2)
    cell, network = workloads.import_reference("rnn_cell"), workloads.import_reference("rnn")
    parameters = {"hidden": 4, "input": 3, "length": 3, "fixed_length": 0}
    weights = network.weights(parameters, rng)
    xs, state = network.inputs(parameters, rng, network.shapes(parameters, 2)[0])
    output = network.forward(parameters, weights, xs, state)
    for x in xs:
        state = cell.forward({}, weights, x, state).T
    assert output == pytest.approx(state)
    assert network.backward(parameters, weights, xs, np.zeros_like(state))[0] == pytest.approx(
        network.forward(parameters, weights, xs, np.zeros_like(state)).sum()
    )


def test_a_network_of_two_layers_by_hand() -> None:
    network = workloads.import_reference("mlp")
    weights = {
        "W_0": np.array([[1.0], [-1.0]]),
        "b_0": np.array([0.5, 0.0]),
        "W_1": np.array([[2.0, 3.0]]),
        "b_1": np.ones(1),
    }
    x = np.array([[1.0], [-2.0]])
    assert network.forward({}, weights, x).tolist() == [[2.0 * 1.5 + 1.0], [3.0 * 2.0 + 1.0]]
    assert network.backward({}, weights, x)[0] == pytest.approx((4.0**2 + 7.0**2) / 2)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_a_network_has_a_weight_and_a_bias_for_each_of_its_layers_and_ends_without_relu(depth: int) -> None:
    network = workloads.import_reference("mlp")
    parameters = {"input": 3, "width": 4, "depth": depth, "output": 50}
    rng = np.random.default_rng(2)
    weights = network.weights(parameters, rng)
    output = network.forward(parameters, weights, *network.inputs(parameters, rng, network.shapes(parameters, 2)[0]))
    assert len(weights) == 2 * depth
    assert output.shape == (2, 50)
    assert output.min() < 0


def counted(drawn: Drawn, task: Task) -> int:
    Counting.flops = 0
    weights = {name: weight.view(Counting) for name, weight in drawn.weights.items()}
    compute = drawn.reference.forward if task == "forward" else drawn.reference.backward
    compute(drawn.sizes, weights, *(value.view(Counting) for value in drawn.inputs))
    return Counting.flops


# Their inputs decide how much work there is, a mask leaves half of it out, or a state of zeros needs no product. The
# reference counts the least that is possible.
DECIDED = {"lstm_tagger", "early_exit", "gpt", "lstm_lm"}


@every_differentiable
@every_batch
def test_the_operations_of_a_call_are_those_of_its_products_less_what_could_be_saved(
    workload: Workload, batch: int
) -> None:
    drawn, sizes = Drawn(workload, all_different, batch), all_different(workload)
    reference = drawn.reference
    assert isinstance(reference, HasFlops)
    if workload.name in DECIDED:
        assert 0 < reference.flops(sizes, batch, "forward") <= counted(drawn, "forward")
        assert 0 < reference.flops(sizes, batch, "backward") <= counted(drawn, "backward")
        return
    no_products = batch if workload.name == "synthetic" else 0
    assert reference.flops(sizes, batch, "forward") == (no_products or counted(drawn, "forward"))
    spent = no_products or counted(drawn, "backward")
    assert 0.9 * spent <= reference.flops(sizes, batch, "backward") <= spent


def test_a_cached_decoder_picks_and_scores_as_the_one_with_its_loop_inside() -> None:
    whole, steps = (workloads.import_reference(name) for name in ("decode", "decode_steps"))
    sizes, rng = {"vocabulary": 9, "width": 5, "prompt": 4, "steps": 3, "fixed_length": 0}, np.random.default_rng(2)
    weights = whole.weights(sizes, rng)
    (prompt,) = whole.inputs(sizes, rng, ((2, 4),))
    empty = np.zeros((2, 0, 5))
    made = run_loop(steps.forward, 3, sizes, weights, prompt, empty, empty)
    assert np.stack(made) == pytest.approx(whole.forward(sizes, weights, prompt))


def test_a_cached_transformer_scores_as_the_whole_one_however_its_tokens_are_split() -> None:
    whole, steps = (workloads.import_reference(name) for name in ("gpt", "gpt_steps"))
    sizes = {"layers": 2, "heads": 2, "head_width": 4, "vocabulary": 9, "length": 6}
    rng = np.random.default_rng(2)
    weights = whole.weights(sizes, rng)
    tokens = rng.integers(9, size=(3, 7))
    due = whole.forward(sizes, weights, tokens)
    empty = np.zeros((2, 3, 2, 0, 4))
    at_once = steps.forward(sizes, weights, tokens[:, :6], empty, empty)
    assert at_once[0] == pytest.approx(due[:, -1])
    _, _, *cache = steps.forward(sizes, weights, tokens[:, :2], empty, empty)
    for place, count in ((2, 3), (5, 1)):
        scores, token, *cache = steps.forward(sizes, weights, tokens[:, place : place + count], *cache)
        assert scores == pytest.approx(due[:, place + count - 1])
        assert np.array_equal(token[:, 0], scores.argmax(axis=1))
    assert all(one == pytest.approx(other) for one, other in zip(cache, at_once[2:], strict=True))


LOOPED = [workload for workload in WORKLOADS if workload.loop]


@pytest.mark.parametrize("workload", LOOPED, ids=lambda workload: workload.name)
@every_size
@every_batch
def test_the_operations_of_a_loop_are_those_of_its_products_less_what_a_mask_leaves_out(
    workload: Workload, sizes: Sizes, batch: int
) -> None:
    drawn = Drawn(workload, sizes, batch)
    assert isinstance(drawn.reference, HasFlops)
    Counting.flops = 0
    weights = {name: weight.view(Counting) for name, weight in drawn.weights.items()}
    calls = workload.count_calls(drawn.sizes)
    run_loop(drawn.reference.forward, calls, drawn.sizes, weights, *(each.view(Counting) for each in drawn.inputs))
    least = drawn.reference.flops(drawn.sizes, batch, "forward")
    assert 0.8 * Counting.flops <= least <= Counting.flops


@pytest.mark.parametrize("workload", LOOPED, ids=lambda workload: workload.name)
def test_every_call_of_a_loop_in_float32_stays_there_and_close_to_float64(workload: Workload) -> None:
    drawn = Drawn(workload, all_different, 3)
    single = {name: weight.astype(np.float32) for name, weight in drawn.weights.items()}
    inputs = [cast_floating(value, np.float32) for value in drawn.inputs]
    calls = workload.count_calls(drawn.sizes)
    exact = run_loop(drawn.reference.forward, calls, drawn.sizes, drawn.weights, *drawn.inputs)
    # OpenBLAS may raise the flag of an invalid operation by lanes that it discards (numpy#24067): results tell.
    with np.errstate(invalid="ignore"):
        made = run_loop(drawn.reference.forward, calls, drawn.sizes, single, *inputs)
    assert len(made) == calls > 1
    for one, due in zip(made, exact, strict=True):
        assert one.dtype == np.float32
        assert np.linalg.norm(one - due) <= 1e-5 * np.linalg.norm(due)


def test_a_workload_that_nobody_has_written_for_a_framework_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="the workload synthetic has no implementation for torch"):
        workloads.import_implementation("synthetic", "torch")


def test_a_workload_that_does_not_exist_is_not_merely_unsupported() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_workload"):
        workloads.import_implementation("no_such_workload", "torch")
