"""A user's workload is held to no more work than every implementation must do."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import autograd.numpy as anp
import numpy as np
import pytest

from workers.arrays import Array
from workers.autodiff import gradients_of
from workers.interfaces import Parameters, Reference
from workers.problem.touched import count_in_results, count_touched

TABLE = {"table": np.random.default_rng(0).uniform(1, 2, (1000, 30))}
TOKENS = np.array([[5, 5, 7], [900, 5, 1]])


def look_up(parameters: Parameters, weights: Mapping[str, Array], tokens: Array) -> Array:
    return weights["table"][tokens]


def make_reference(**functions: object) -> Reference:
    return cast("Reference", SimpleNamespace(**functions))


LOOKUP = make_reference(
    forward=look_up, backward=gradients_of(lambda *given: anp.mean(look_up(given[0], given[1], given[2]) ** 2))
)


def test_a_lookup_touches_its_rows_and_not_its_table() -> None:
    rows = 4 * 30  # and the outputs may be views of them
    assert count_touched(LOOKUP, "forward", {}, TABLE, [TOKENS]) == rows
    assert count_touched(LOOKUP, "backward", {}, TABLE, [TOKENS]) == 2 * rows + 1


def raise_error(*given: object) -> None:
    raise NotImplementedError("only forward is of interest")


@pytest.mark.parametrize("more", [{}, {"backward": raise_error}])
def test_without_gradients_nothing_is_known_of_the_weights(more: Mapping[str, object]) -> None:
    bare = make_reference(forward=look_up, **more)
    assert count_touched(bare, "forward", {}, TABLE, [TOKENS]) == 0


@pytest.mark.parametrize("view", [lambda x: x.T, lambda x: x[:, :1], lambda x: np.broadcast_to(x, (9, 4, 5)), np.flip])
def test_a_view_of_the_inputs_writes_nothing(view: Any) -> None:  # noqa: ANN401 (a lambda)
    reference = make_reference(forward=lambda parameters, weights, x: view(x))
    assert count_touched(reference, "forward", {}, {}, [np.arange(20.0).reshape(4, 5)]) == 0


def test_every_output_of_a_nest_counts() -> None:
    reference = make_reference(forward=lambda parameters, weights, x: {"a": x + 1, "b": (x * 2, None)})
    assert count_touched(reference, "forward", {}, {}, [np.linspace(0.1, 0.2, 8)]) == 16


def test_stored_gradients_count_where_they_are_not_zero_and_moves_once_a_step() -> None:
    gradient = np.zeros((1000, 30))
    gradient[:3] = 1
    assert count_in_results([gradient], "backward", []) == 2 * 3 * 30
    assert count_in_results([gradient], "train-sgd", []) == 2 * 30
    assert count_in_results([gradient], "forward", [np.full(3, 7.0)]) == gradient.size
    assert count_in_results([gradient], "forward", [np.arange(2.0)]) == 0
