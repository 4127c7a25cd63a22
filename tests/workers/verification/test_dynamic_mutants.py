"""Verification tells every dynamic workload from near copies of it, in float32."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from tests.workers.conftest import defaults
from workers import workloads
from workers.arrays import Array
from workers.arrays import cast_floating as cast_to
from workers.interfaces import Parameters
from workers.verification.tolerance import Expectation, explain_checks, make_call_evaluator

# Takes the sizes, the weights by name and the inputs, and returns the result of a call.
Compute = Callable[..., Any]

Weights = Mapping[str, Array]


def gates(workload: str, names: tuple[str, ...], order: tuple[int, ...]) -> Compute:
    """Return the workload with its gates in another order."""

    def compute(p: Parameters, w: Weights, *inputs: Array) -> object:
        parts = {name: np.split(w[name], len(order)) for name in names}
        other = {name: np.concatenate([part[place] for place in order]) for name, part in parts.items()}
        return workloads.import_reference(workload).forward(p, {**w, **other}, *inputs)

    return compute


def lengths(change: Callable[[Array, int], Array]) -> Compute:
    """Return the tagger with other lengths than its sequences have."""

    def compute(p: Parameters, w: Weights, tokens: Array, given: Array, tags: Array) -> object:
        return workloads.import_reference("lstm_tagger").forward(p, w, tokens, change(given, len(tokens)), tags)

    return compute


def tree(change: Callable[[Array], Array]) -> Compute:
    """Return the tree network on other trees."""
    return lambda p, w, x, children: workloads.import_reference("tree_lstm").forward(p, w, x, change(children))


def early_exit(**sizes: int) -> Compute:
    return lambda p, w, x: workloads.import_reference("early_exit").forward({**p, **sizes}, w, x)


def decoder(change: Callable[[Parameters, Weights], dict[str, Array]]) -> Compute:
    return lambda p, w, prompt: workloads.import_reference("decode").forward(p, {**w, **change(p, w)}, prompt)


OF_TAGGER = tuple(f"{name}_{direction}" for direction in ("ahead", "back") for name in ("W_x", "W_h", "b"))

MUTANTS: Mapping[str, Mapping[str, Compute]] = {
    "lstm_tagger": {
        "gates i, g, f, o": gates("lstm_tagger", OF_TAGGER, (0, 2, 1, 3)),
        "gates i, f, o, g": gates("lstm_tagger", OF_TAGGER, (0, 1, 3, 2)),
        "padding read as if it were real": lengths(np.full_like),
        "each sequence's last token left out": lengths(lambda given, _: given - 1),
    },
    "tree_lstm": {
        "children swapped": tree(lambda children: children[..., ::-1]),
        "one tree for all": tree(lambda children: np.broadcast_to(children[:1], children.shape)),
        "gates of the two children swapped": gates("tree_lstm", ("W_h", "b_h"), (0, 2, 1, 3, 4)),
    },
    "early_exit": {"a fixed number of steps": early_exit(maximum=2)},
    "decode": {
        "no root of the width": decoder(lambda p, w: {"W_q": w["W_q"] * np.float32(p["width"] ** 0.5)}),
        "keys for values": decoder(lambda p, w: {"W_v": w["W_k"]}),
        "looked up the other way round": decoder(lambda p, w: {"W_q": w["W_k"], "W_k": w["W_q"]}),
    },
}


def judged(workload: str, compute: Compute) -> str:
    """Return what is wrong with a computation in float32, by the reference in float64."""
    reference, rng, sizes = workloads.import_reference(workload), np.random.default_rng(3), defaults(workload)
    weights = {name: weight.astype(np.float32) for name, weight in reference.weights(sizes, rng).items()}
    inputs = [cast_to(value, np.float32) for value in reference.inputs(sizes, rng, reference.shapes(sizes, 3)[0])]
    due = Expectation(make_call_evaluator(reference, "forward", sizes, weights, inputs), "float32")
    return explain_checks(due.check_tensors([np.asarray(compute(sizes, weights, *inputs), np.float64)], "some inputs"))


@pytest.mark.parametrize("workload", MUTANTS)
def test_the_workload_itself_passes(workload: str) -> None:
    assert judged(workload, workloads.import_reference(workload).forward) == ""


@pytest.mark.parametrize(
    ("workload", "mutant"), [(workload, mutant) for workload, mutants in MUTANTS.items() for mutant in mutants]
)
def test_a_semantic_mistake_in_a_dynamic_workload_is_rejected(workload: str, mutant: str) -> None:
    assert "is off by" in judged(workload, MUTANTS[workload][mutant])
