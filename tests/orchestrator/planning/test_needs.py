"""A plan says how many blocks a verdict needs, and what would fit where the budget does not allow them."""

from collections.abc import Callable

import pytest

from orchestrator.analysis.statistics.looks import ALPHA_ON_VERDICTS, blocks_needed
from orchestrator.planning.needs import describe_needs, find_needs
from orchestrator.planning.plan import Plan

MakePlan = Callable[..., Plan]

TEN_S = {"numpy:eager": 10.0, "synthetic:spin": 10.0, "synthetic:compiled": 10.0, "synthetic:wrong": 10.0}
FOUR = ("numpy", "synthetic:spin", "synthetic:compiled", "synthetic:wrong")


def describe(plan: Plan) -> str:
    return " ".join(describe_needs(plan, TEN_S))


def test_a_sweep_that_compares_nothing_needs_nothing(make_plan: MakePlan) -> None:
    alone = make_plan("numpy")
    assert (find_needs(alone, {}), describe(alone)) == (None, "")


def test_a_verdict_needs_the_blocks_of_its_family(make_plan: MakePlan) -> None:
    needs = find_needs(make_plan(*FOUR, start="fresh", stop={"budget": 1000, "blocks": 32}), TEN_S)
    assert needs is not None
    assert (needs.modes, needs.cells, needs.block_s, needs.allowed) == (4, 5, 50.0, 20)
    assert needs.blocks == blocks_needed(needs.pairs)
    assert needs.can_claim


def test_the_largest_computation_decides(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", "synthetic:spin", axes={"batch": (1, 2)}, stop={"budget": 1000, "blocks": 32})
    needs = find_needs(plan, TEN_S)
    assert needs is not None
    assert (needs.modes, needs.pairs, needs.cells) == (2, 1, 5)


def test_verdicts_as_a_goal_need_the_blocks_of_their_level(make_plan: MakePlan) -> None:
    needs = find_needs(make_plan(stop={"until": "verdict"}), TEN_S)
    assert needs is not None
    assert needs.blocks == blocks_needed(1, ALPHA_ON_VERDICTS)


def test_a_budget_that_is_enough_is_said_with_what_it_allows(make_plan: MakePlan) -> None:
    said = describe(make_plan(stop={"budget": 300, "blocks": 32}))
    assert said == "1 pair needs 6 blocks for a verdict, about 3 min; this sweep allows 10."


def test_a_budget_that_is_not_enough_is_said_with_what_would_be(make_plan: MakePlan) -> None:
    said = describe(make_plan(stop={"budget": 120, "blocks": 32}))
    assert "this sweep allows 4: no claim is possible. A verdict would fit with --budget 4m." in said
    many = describe(make_plan(*FOUR, stop={"budget": 300, "blocks": 32}))
    assert "no claim is possible" in many
    assert " or at most 3 modes in place of 4." in many or " or at most 2 modes in place of 4." in many


def test_too_few_blocks_are_said_with_the_option_that_allows_them(make_plan: MakePlan) -> None:
    said = describe(make_plan(stop={"budget": 10_000, "blocks": 3}))
    assert said.endswith("this sweep allows 3: no claim is possible. A verdict would fit with --blocks 6.")


@pytest.mark.parametrize("budget", [60, 120, 200, 260, 400, 1000])
def test_with_the_modes_that_it_says_would_fit_they_do(make_plan: MakePlan, budget: int) -> None:
    needs = find_needs(make_plan(*FOUR, stop={"budget": budget, "blocks": 32}), TEN_S)
    assert needs is not None
    if needs.fitting_modes:
        fewer = find_needs(make_plan(*FOUR[: needs.fitting_modes], stop={"budget": budget, "blocks": 32}), TEN_S)
        assert fewer is not None
        assert fewer.can_claim
    else:
        two = find_needs(make_plan(*FOUR[:2], stop={"budget": budget, "blocks": 32}), TEN_S)
        assert two is not None
        assert not two.can_claim


def test_all_pairs_need_more_blocks_and_the_asked_ones_are_offered(make_plan: MakePlan) -> None:
    plan = make_plan(*FOUR, stop={"budget": 1000, "blocks": 8}, pairs="all")
    needs = find_needs(plan, TEN_S)
    assert needs is not None
    assert (needs.pairs, needs.asked, needs.blocks) == (6, 4, 9)
    assert "A verdict would fit with --blocks 9 or --pairs asked." in describe(plan)
    assert "no claim" not in describe(make_plan(*FOUR, stop={"budget": 1000, "blocks": 8}))
