"""Cells agree as far as the tolerances of both allow, and are compared where that says something."""

import math
from typing import Any

import numpy as np
import pytest

from orchestrator.analysis.agreement import Agreement, Difference, compare_results
from orchestrator.analysis.results import Group
from tests.orchestrator.analysis.sketched import DUE, a_group, a_record, check, off

FILE = {"file": "/m/net.onnx", "folder": "/m", "kind": "onnx"}
SMALL = {"file": "/m/small.onnx", "folder": "/m", "kind": "onnx", "is_sibling": True}


def agreement_of(group: Group) -> Agreement:
    found = compare_results(group)
    assert found is not None
    return found


def test_a_wrong_cell_is_set_against_cells_that_agree_with_each_other() -> None:
    right, other = (a_record(f"torch:{mode}", [check(off(1e-7, seed))]) for seed, mode in enumerate(("eager", "trace")))
    wrong = a_record("onnxruntime:session", [check(off(0.3))])
    found = agreement_of(a_group(right, other, wrong))
    assert found.agreeing_sets == (("torch:eager", "torch:trace"), ("onnxruntime:session",))
    assert found.labels == ("torch:eager", "torch:trace", "onnxruntime:session")
    pair = found.find_pair("torch:trace", "torch:eager")
    assert pair is not None
    assert pair.agrees
    assert pair.error == pytest.approx(math.sqrt(2) * 1e-7, rel=0.3)
    far = found.find_pair("torch:eager", "onnxruntime:session")
    assert far is not None
    assert not far.agrees
    assert far.error == pytest.approx(0.3, rel=0.3)
    assert found.from_reference["onnxruntime:session"].error == pytest.approx(0.3)


def test_cells_that_are_all_right_are_not_compared() -> None:
    assert compare_results(a_group(*(a_record(f"torch:{mode}", [check(DUE)]) for mode in ("eager", "trace")))) is None


@pytest.mark.parametrize(
    "changes", [{"model": FILE}, {"model": SMALL}, {"verification": {"agreement": "it does not run in float64"}}]
)
def test_model_files_and_results_without_a_referee_in_float64_are_compared(changes: dict[str, Any]) -> None:
    group = a_group(*(a_record(f"torch:{mode}", [check(DUE)], **dict(changes)) for mode in ("eager", "trace")))
    assert agreement_of(group).agreeing_sets == (("torch:eager", "torch:trace"),)


def test_a_clone_is_no_party() -> None:
    cells: tuple[dict[str, Any], ...] = ({}, {"replica": 1}, {"mode": "script"})
    group = a_group(*(a_record("torch:eager", [check(DUE)], cell=dict(cell), model=FILE) for cell in cells))
    assert agreement_of(group).labels == ("torch:eager", "torch:script")


def test_a_single_result_and_results_without_sketches_are_not_compared() -> None:
    bare = {**check(off(0.3)), "scale": None, "sketch": ()}
    assert compare_results(a_group(a_record("torch:eager", [check(DUE)]), a_record("torch:trace", [bare]))) is None


@pytest.mark.parametrize(("apart", "agrees"), [(3e-6, True), (6e-6, False)])
def test_two_right_results_may_be_as_far_apart_as_both_tolerances_allow(apart: float, agrees: bool) -> None:
    one, other = off(apart / 2), off(-apart / 2)
    group = a_group(a_record("torch:eager", [check(one)], model=FILE), a_record("torch:trace", [check(other)]))
    pair = agreement_of(group).find_pair("torch:eager", "torch:trace")
    assert pair is not None
    assert pair.agrees is agrees


def test_the_tensor_that_breaks_its_tolerance_is_named_before_one_that_differs_more() -> None:
    one = [check(DUE, "output 0", tolerance=0.1), check(DUE, "output 1")]
    other = [check(off(0.05), "output 0", tolerance=0.1), check(off(0.01), "output 1")]
    found = agreement_of(a_group(a_record("torch:eager", one), a_record("torch:trace", other)))
    assert (found.pairs["torch:eager", "torch:trace"].tensor, found.from_reference["torch:trace"].tensor) == (
        "output 1",
        "output 1",
    )


def test_what_is_not_finite_or_missing_agrees_with_nothing() -> None:
    lost = np.full_like(DUE, math.nan)
    records = [
        a_record("torch:eager", [check(DUE), check(DUE, "b")]),
        a_record("torch:trace", [check(lost), check(DUE, "b")]),
        a_record("torch:script", [check(lost), check(DUE, "b")]),
        a_record("torch:compile", [check(DUE)]),
    ]
    found = agreement_of(a_group(*records))
    assert [len(labels) for labels in found.agreeing_sets] == [1, 1, 1, 1]
    assert {each.error for each in found.pairs.values()} == {math.inf}
    assert found.pairs["torch:trace", "torch:script"] == Difference("output", math.inf, agrees=False)
    assert found.pairs["torch:eager", "torch:compile"].tensor == "number of tensors"


def test_cells_with_other_weights_are_not_compared_with_each_other_unless_they_are_siblings() -> None:
    def compare(**changes: Any) -> Agreement:  # noqa: ANN401 (fields)
        first = a_record("torch:eager", [check(DUE)], model=FILE)
        return agreement_of(a_group(first, a_record("torch:trace", [check(off(0.2), due=off(0.2))], **changes)))

    assert compare(inputs_sha256="cd").pairs == {}
    assert not compare(inputs_sha256="ab").pairs["torch:eager", "torch:trace"].agrees
    assert not compare(inputs_sha256="cd", model=SMALL).pairs["torch:eager", "torch:trace"].agrees


def test_every_member_of_a_party_agrees_with_every_other() -> None:
    steps = (0.0, 3e-6, 6e-6)
    modes = ("eager", "trace", "script")
    group = a_group(*(a_record(f"torch:{m}", [check(off(by))], model=FILE) for m, by in zip(modes, steps, strict=True)))
    assert agreement_of(group).agreeing_sets == (("torch:eager", "torch:trace"), ("torch:script",))


def test_the_first_process_with_a_sketch_counts() -> None:
    bare = {**check(DUE), "scale": None, "sketch": ()}
    early = a_record("torch:eager", [bare], block=2)
    late = a_record("torch:eager", [check(DUE)], block=1)
    wrong = a_record("torch:trace", [check(off(0.3))])
    assert agreement_of(a_group(early, late, wrong)).labels == ("torch:eager", "torch:trace")


def test_the_largest_difference_is_that_among_some_or_between_some_and_others() -> None:
    near, far = (Difference("output", error, agrees=True) for error in (0.1, 0.2))
    found = Agreement(("a", "b", "c"), {}, {("a", "b"): near, ("a", "c"): far})
    assert found.find_largest(("a", "b")) == near
    assert found.find_largest(("a",), ("b", "c")) == far
    assert found.find_largest(("b", "c")) is None
