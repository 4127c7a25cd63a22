"""Missing parts of a workload are reported before they cause misleading errors."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from schemas.job import Task
from workers import contract
from workers.arrays import Array
from workers.errors import Malformed

WEIGHTS = {"W": np.ones((2, 3)), "b": np.ones(2), "running_mean": np.ones(2)}
GRADIENTS = {"W": np.ones((2, 3)), "b": np.ones(2)}
REFERENCE = SimpleNamespace(__file__="/mine/reference.py")


class Model:
    """A model that keeps the contract."""

    def __init__(self, parameters: Mapping[str, int], weights: Mapping[str, Any]) -> None:
        self.made_of = parameters, weights

    def loss(self, x: Any) -> Any:  # noqa: ANN401 (a framework's own)
        return x


@pytest.mark.parametrize(
    "shapes", [(((1, 2),),), [[[1, 2]]], (((1, 2), (3,)), ((4, 2), (3,))), (((),),), (((np.int64(3), 2),),)]
)
def test_sets_of_shapes_are_sets_of_shapes_in_tuples_or_lists(shapes: object) -> None:
    contract.check_shapes(REFERENCE, shapes)


@pytest.mark.parametrize("shapes", [(), ((),), ((1, 2),), (1, 2), None, "ab", (((1, 0),),), (((1, 2.5),),), ((None,),)])
def test_anything_else_is_not(shapes: object) -> None:
    with pytest.raises(Malformed, match=r"^shapes\(\.\.\.\) must return") as caught:
        contract.check_shapes(REFERENCE, shapes)
    assert caught.value.place == "/mine/reference.py"


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (np.float64(1), "must return the loss, a number, and a dict of gradients by name"),
        ((np.ones(3), GRADIENTS), "must return the loss, a number"),
        ((1.0, [np.ones(3)]), "must return the loss, a number"),
        ((1.0, dict(reversed(GRADIENTS.items()))), "must return gradients of W, b, not of b, W"),
        ((1.0, GRADIENTS | {"running_mean": np.ones(2)}), "gradients of W, b, not of W, b, running_mean"),
        ((1.0, GRADIENTS | {"b": np.ones(3)}), "the gradient of b has the shape (3,), not (2,)"),
    ],
)
def test_a_reference_gives_a_loss_and_a_gradient_for_each_trained_weight_in_their_order(
    made: object, sentence: str
) -> None:
    reference = SimpleNamespace(__file__="/mine/reference.py", backward=lambda *given: made)
    contract.check_gradients(reference, (1.0, GRADIENTS), WEIGHTS)
    with pytest.raises(Malformed) as caught:
        contract.check_results(reference, "backward", {}, WEIGHTS, ())
    assert sentence in str(caught.value)


def test_a_reference_gives_arrays() -> None:
    for made in (np.ones(3), (np.ones(3), np.float64(2)), {"a": [np.ones(3)], "b": (np.ones(2, complex), None)}):
        contract.check_results(SimpleNamespace(forward=lambda *given, out=made: out), "forward", {}, WEIGHTS, ())
    with pytest.raises(
        Malformed, match=r"forward\(...\) must return an array or a tuple of arrays, not a value of type"
    ):
        contract.check_results(SimpleNamespace(forward=lambda *given: [1.0]), "forward", {}, WEIGHTS, ())


@pytest.mark.parametrize(
    ("task", "needed"), [("forward", "forward"), ("backward", "backward"), ("train-sgd", "backward")]
)
def test_the_formula_of_the_task_is_asked_for_only_where_it_is_the_reference(task: Task, needed: str) -> None:
    drawing = SimpleNamespace(__file__="/mine/reference.py", weights=len, shapes=len, inputs=len)
    contract.check_functions(drawing, formulas=False, task=task)
    with pytest.raises(Malformed, match=rf'no function {needed}\(.*reference = "torch"'):
        contract.check_functions(drawing, formulas=True, task=task)
    contract.check_functions(SimpleNamespace(**vars(drawing), **{needed: len}), formulas=True, task=task)


@pytest.mark.parametrize("reference", [SimpleNamespace(), SimpleNamespace(weights=lambda *given: {})])
def test_an_operation_without_weights_has_a_forward_pass_and_no_other(reference: SimpleNamespace) -> None:
    assert contract.draw_weights(reference, "forward", {}, np.random.default_rng(0)) == {}
    with pytest.raises(Malformed, match=r"as backward needs weights, or choose --tasks forward"):
        contract.draw_weights(reference, "backward", {}, np.random.default_rng(0))


def test_statistics_alone_have_no_gradients() -> None:
    reference = SimpleNamespace(weights=lambda *given: {"running_mean": np.ones(2)})
    with pytest.raises(Malformed, match="train-sgd needs weights"):
        contract.draw_weights(reference, "train-sgd", {}, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int8", "int32", "int64", "uint16", "bool"])
def test_inputs_are_numbers_of_any_type_or_truth_values(dtype: str) -> None:
    (found,) = contract.check_inputs(REFERENCE, [np.ones((2, 3), dtype)], [(2, 3)])
    assert found.dtype == dtype


def test_a_number_is_an_input_without_axes() -> None:
    for number in (np.float64(2), np.bool_(True), np.array(2.0)):
        (found,) = contract.check_inputs(REFERENCE, [number], [()])
        assert isinstance(found, np.ndarray)
        assert found.shape == ()


@pytest.mark.parametrize("value", [np.array(["text"]), np.array([None]), np.array(["2026-01-01"], "datetime64[D]")])
def test_anything_else_is_no_input(value: Array) -> None:
    with pytest.raises(Malformed, match=r"must return numbers or truth values, not"):
        contract.check_inputs(REFERENCE, [value], [(1,)])


@pytest.mark.parametrize(
    ("task", "made"),
    [
        ("forward", np.ones(3, np.float32)),
        ("forward", {"a": np.ones(3), "b": np.ones(3, np.complex64)}),
        ("backward", (1.0, GRADIENTS | {"b": np.ones(2, np.float32)})),
    ],
)
def test_a_reference_that_loses_the_precision_of_float64_is_no_referee(task: Task, made: object) -> None:
    reference = SimpleNamespace(forward=lambda *given: made, backward=lambda *given: made)
    with pytest.raises(Malformed, match=r"returned (float32|complex64) from float64: keep the dtype"):
        contract.check_results(reference, task, {}, WEIGHTS, ())


def test_a_reference_that_draws_random_numbers_judges_nothing() -> None:
    rng = np.random.default_rng(0)
    reference = SimpleNamespace(forward=lambda *given: (np.ones(3), rng.standard_normal(3)))
    with pytest.raises(Malformed, match=r"forward\(\.\.\.\) called twice .* draw no random numbers in it"):
        contract.check_results(reference, "forward", {}, WEIGHTS, ())


def test_a_model_needs_a_loss_only_for_tasks_that_have_one() -> None:
    whole = SimpleNamespace(Model=Model)
    assert contract.find_model_class(whole, "train-adam") is Model
    bare = SimpleNamespace(Model=type("Model", (), {"__init__": Model.__init__}), __file__="/mine/jax.py")
    assert contract.find_model_class(bare, "forward") is bare.Model
    with pytest.raises(Malformed, match=r"Model in jax\.py has no method loss\(\*inputs\), which train-sgd needs"):
        contract.find_model_class(bare, "train-sgd")


def test_a_models_weights_are_those_that_were_drawn_less_the_statistics() -> None:
    made = Model({}, {})
    contract.check_model_weights(made, [(2, 3), (2,)], WEIGHTS, "somewhere")
    with pytest.raises(
        Malformed, match=r"Model has 3 weights, but reference\.py draws 2 \(W, b\); keep each somewhere"
    ):
        contract.check_model_weights(made, [(2, 3), (2,), (2,)], WEIGHTS, "somewhere")
    with pytest.raises(Malformed, match=r"weight 2 has the shape \(3,\), not \(2,\) like b") as caught:
        contract.check_model_weights(made, [(2, 3), (3,)], WEIGHTS, "somewhere")
    assert caught.value.place.startswith(f"{__file__}:")
