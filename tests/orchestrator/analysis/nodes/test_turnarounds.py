"""Pairs whose order turns round between types of machine."""

import pytest

from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.nodes.turnarounds import find_turnarounds
from tests.orchestrator.analysis.test_compare import claim

FASTER, SLOWER = claim("a", "b", Verdict.FASTER, 0.9), claim("a", "b", Verdict.SLOWER, 1.1)


def test_a_pair_that_is_faster_on_one_type_and_slower_on_another_turns_round() -> None:
    (found,) = find_turnarounds({"small": [SLOWER], "large": [FASTER], "third": [FASTER]})
    assert (found.baseline, found.cell) == ("a", "b")
    assert found.slower == {"small": SLOWER}
    assert found.faster == {"large": FASTER, "third": FASTER}


@pytest.mark.parametrize(
    "other",
    [Verdict.UNRESOLVED, Verdict.EQUIVALENT, Verdict.DIFFERENT_BUT_SMALL, Verdict.ESTIMATOR_DEPENDENT, Verdict.SLOWER],
)
def test_what_is_no_verdict_the_other_way_is_no_turnaround(other: Verdict) -> None:
    assert find_turnarounds({"small": [SLOWER], "large": [claim("a", "b", other, 0.9)]}) == ()


def test_the_order_of_a_pair_may_differ_from_type_to_type() -> None:
    (found,) = find_turnarounds({"small": [SLOWER], "large": [claim("b", "a", Verdict.SLOWER, 1.2)]})
    assert (found.baseline, found.cell) == ("a", "b")
    assert found.faster["large"].ratio.estimate == pytest.approx(1 / 1.2)
    assert find_turnarounds({"small": [SLOWER], "large": [SLOWER.flipped()]}) == ()


def test_pairs_stand_in_their_order_and_only_those_that_turn() -> None:
    steady, other = claim("a", "c", Verdict.SLOWER), claim("b", "c", Verdict.FASTER, 0.8)
    found = find_turnarounds({"small": [SLOWER, steady, other], "large": [other.flipped(), steady, FASTER]})
    assert [(each.baseline, each.cell) for each in found] == [("a", "b")]
    turned = find_turnarounds({"small": [steady, other, SLOWER], "large": [FASTER, other.flipped(), steady.flipped()]})
    assert [(each.baseline, each.cell) for each in turned] == [("a", "b")]


def test_a_pair_that_was_measured_on_one_type_cannot_turn_round() -> None:
    assert find_turnarounds({"small": [SLOWER], "large": []}) == ()
    assert find_turnarounds({}) == ()
