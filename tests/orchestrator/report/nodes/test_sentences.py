"""The sentences of a comparison over nodes claim what its figures support, and name what is left out."""

import math
from collections.abc import Sequence

import pytest

from orchestrator.analysis.nodes.comparison import NodesResult, compare_over_nodes
from orchestrator.analysis.nodes.next_sweep import NextSweep
from orchestrator.analysis.nodes.turnarounds import find_turnarounds
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.analysis.statistics.variance_components import NodePlan
from orchestrator.report.nodes.sentences import (
    describe_nodes,
    describe_plan,
    describe_turnarounds,
    format_percent,
    format_spread,
)
from tests.orchestrator.analysis.nodes.sweeps import make_nodes, make_scores, make_sweep
from tests.orchestrator.analysis.nodes.test_turnarounds import FASTER, SLOWER

PAIR = ("cell 0", "cell 1")


def compare(
    centres: Sequence[float], shares: Sequence[int] = (), canaries: Sequence[float] = (), *, clone: bool = False
) -> NodesResult:
    """Return the comparison of two cells whose log ratio on each node is known."""
    blocks = list(shares) or [8] * len(centres)
    twins = PAIR if clone else None
    return compare_over_nodes(make_sweep(centres, blocks), [PAIR], make_nodes(blocks, canaries), clone=twins)


def tell(*centres: float, shares: Sequence[int] = (), canaries: Sequence[float] = (), clone: bool = False) -> list[str]:
    return describe_nodes(compare(centres, shares, canaries, clone=clone))


def test_the_answers_stand_first_with_what_they_are_about() -> None:
    on_nodes, on_type = tell(0.05, 0.06, 0.04)[:2]
    assert on_nodes.startswith("cell 1 over cell 0, on these 3 nodes: SLOWER, 1.051 (1.0")
    assert on_nodes.endswith(", 24 blocks).")
    assert on_type.startswith("cell 1 over cell 0, on nodes of type d128fb31: SLOWER, 1.051 (1.0")
    assert "; from node to node it differs by 1.0 % (0.5–" in on_type
    assert " %) (standard deviation); on the next node, expect 0." in on_type


def test_one_node_is_called_by_its_name_and_nothing_is_said_about_its_blocks() -> None:
    first, second = tell(0.05, shares=[3])
    assert first == "cell 1 over cell 0, on n1: UNRESOLVED, 1.049 (3 blocks)."
    assert second.startswith("Other nodes of type d128fb31 may differ: a statement about them takes 3 nodes")


def test_a_single_block_is_one_block() -> None:
    assert "(1 block)" in tell(0.05, shares=[1])[0]


def test_two_nodes_are_said_to_be_too_few_for_their_type() -> None:
    said = tell(0.05, 0.05)
    assert len(said) == 2
    assert "takes 3 nodes with 4 blocks each" in said[1]


def test_a_node_that_took_the_claim_away_is_named() -> None:
    said = tell(0.05, 0.05, 0.05, -0.03)
    assert "cell 1 over cell 0: no claim on these 4 nodes, because n4 contradicts the others." in said
    both = tell(*[0.05] * 8, -0.03, -0.03)
    assert any(sentence.endswith("because n9 and n10 contradict the others.") for sentence in both)


def test_nodes_of_which_none_is_the_exception_contradict_each_other() -> None:
    said = tell(0.05, -0.04)
    assert "cell 1 over cell 0: the nodes contradict each other. cell 1 takes more time on n1 and less on n2." in said


def test_nodes_that_agree_contradict_nothing() -> None:
    assert not any("contradict" in sentence for sentence in tell(0.05, 0.06, 0.04, 0.0))


def test_a_node_with_too_few_blocks_is_named_with_their_number() -> None:
    said = tell(0.05, 0.05, 0.05, 0.05, shares=[8, 8, 8, 2])
    assert "Too few blocks for the sample of nodes: n4 (2). A node needs 4; its blocks count on these nodes." in said


def test_an_odd_node_is_named_with_what_changes_without_it() -> None:
    said = tell(0.05, 0.06, 0.04, 0.2, canaries=[100, 101, 99, 120])
    assert (
        "The canary, a fixed small product, is more than 5 % off the median of type d128fb31 on n4 (1.194 times the "
        "median)." in said
    )
    (without,) = [sentence for sentence in said if sentence.startswith("Without n4")]
    assert without.startswith("Without n4, cell 1 over cell 0 on nodes of the type is SLOWER, 1.051 (1.0")


def test_an_odd_node_that_changes_no_verdict_is_named_all_the_same() -> None:
    said = tell(0.05, 0.05, 0.05, 0.05, canaries=[100, 101, 99, 80])
    assert any("on n4 (0." in sentence for sentence in said)
    assert "Without n4, all verdicts are the same." in said


def test_too_few_nodes_without_the_odd_one_are_said() -> None:
    said = tell(0.05, 0.05, 0.05, canaries=[100, 101, 130])
    assert "Without n3, cell 1 over cell 0 has no answer over the type, which takes 3 nodes." in said


def test_a_verdict_on_these_nodes_that_differs_without_the_odd_one_is_said() -> None:
    said = tell(0.0, 0.0, 0.0, 0.05, canaries=[100, 101, 99, 120])
    assert any(
        sentence.startswith("Without n4, cell 1 over cell 0 on these 3 nodes is EQUIVALENT") for sentence in said
    )


def test_of_two_nodes_that_are_both_odd_there_is_no_answer_without_them() -> None:
    said = tell(0.05, 0.05, canaries=[100, 130])
    assert any("on n1 (0.870 times the median) and n2 (1.130 times the median)" in sentence for sentence in said)
    assert "No node would be left without these, so there is no answer without them." in said


def test_the_clone_is_told_for_the_type_or_for_these_nodes() -> None:
    assert tell(0.0, 0.0, 0.0, clone=True)[-1].startswith(
        "A/A check: cell 1 is not told from its original, on nodes of the type: EQUIVALENT, 1.0"
    )
    assert "on these 2 nodes: EQUIVALENT" in tell(0.0, 0.0, clone=True)[-1]
    assert not any("A/A" in sentence for sentence in tell(0.0, 0.0, 0.0))


def test_a_clone_that_is_told_from_its_original_is_said_with_the_nodes_that_tell_it() -> None:
    said = tell(0.05, 0.05, 0.05, clone=True)[-1]
    assert "cell 1 is told from its original, though both are the same" in said
    assert said.endswith("Its interval excludes 1 on n1, n2 and n3.")


def test_names_of_nodes_cannot_give_orders_to_a_terminal() -> None:
    result = compare([0.05, -0.05])
    hostile = {"n1": "n\x1b[31m1", "n2": "n2"}
    nodes = result.nodes
    renamed = type(nodes)(
        by_block={block: hostile[name] for block, name in nodes.by_block.items()},
        types={hostile[name]: kind for name, kind in nodes.types.items()},
    )
    said = describe_nodes(compare_over_nodes(make_sweep([0.05, -0.05], [8, 8]), [PAIR], renamed))
    assert any("n�[31m1" in sentence for sentence in said)
    assert not any("\x1b" in sentence for sentence in said)


def test_cells_without_a_common_block_have_no_interval_to_tell() -> None:
    scores = make_scores([[0.0], [0.05]])
    said = describe_nodes(compare_over_nodes(scores, [PAIR], make_nodes([1])))
    assert said[0] == "cell 1 over cell 0, on n1: UNRESOLVED, 1.051 (1 block)."


def test_a_pair_that_turns_round_names_the_types_with_their_ratios() -> None:
    (said,) = describe_turnarounds(find_turnarounds({"small": [SLOWER], "large": [FASTER], "third": [FASTER]}))
    assert said == (
        "The order turns round: b over a is FASTER on type large (0.900, 0.891 to 0.909) and type third (0.900, 0.891 "
        "to 0.909) and SLOWER on type small (1.100, 1.089 to 1.111)."
    )
    assert describe_turnarounds([]) == []


@pytest.mark.parametrize(("log", "text"), [(0.0, "0.0"), (0.01, "1.0"), (0.0953, "10"), (0.5, "65"), (0.034, "3.5")])
def test_a_spread_is_told_in_per_cent(log: float, text: str) -> None:
    assert format_percent(log) == text


def test_a_spread_has_its_interval() -> None:
    assert format_spread(Interval(0.01, 0.0, math.log(1.25))) == "1.0 % (0.0–25 %)"


def test_a_plan_says_nodes_blocks_and_time() -> None:
    (pair,) = compare([0.05, 0.06, 0.04]).comparisons
    said = describe_plan(NextSweep(pair, NodePlan(blocks=6, nodes=5, half_width=0.018, cost=3000)), 0.02)
    assert said == (
        "5 nodes with 6 blocks each would give the ratio of cell 1 over cell 0 on nodes of the type within ±2 %, as "
        "far as these 3 nodes can tell, at the least cost: 50 min on all nodes together."
    )
    assert describe_plan(NextSweep(pair, None), 0.001) == (
        "No number of nodes gives the ratio of cell 1 over cell 0 on nodes of the type within ±0.1 %, as far as "
        "these 3 nodes can tell: nodes differ too much."
    )
