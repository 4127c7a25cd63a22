"""Comparison of cells on each node, on these nodes and over their type; error rates are in test_nodes_coverage.py."""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.compare import Comparison, Scores, Verdict, compare_all_pairs, compare_pairs
from orchestrator.analysis.nodes.comparison import NodesComparison, compare_over_nodes
from orchestrator.analysis.nodes.nodes import Nodes
from orchestrator.analysis.quality.comparability import Sampling
from tests.orchestrator.analysis.nodes.sweeps import list_pairs, make_nodes, make_scores, make_sweep

PAIR = ("cell 0", "cell 1")


def compare(scores: dict[str, Scores], nodes: Nodes) -> NodesComparison:
    (found,) = compare_over_nodes(scores, [PAIR], nodes).comparisons
    return found


def compare_centres(centres: list[float], shares: list[int] | None = None, noise: float = 0.004) -> NodesComparison:
    """Return the comparison of two cells whose log ratio on each node is known."""
    blocks = shares or [8] * len(centres)
    return compare(make_sweep(centres, blocks, noise), make_nodes(blocks))


def lose(scores: Scores, share: float) -> Scores:
    """Return scores of which disturbances can have cost this share of the time in every block."""
    return dataclasses.replace(scores, least={block: log + math.log(1 - share) for block, log in scores.floor.items()})


# One node


@given(st.integers(0, 10_000), st.integers(0, 16), st.sampled_from([0.0, 0.03]), st.sampled_from([0.0, 0.02]))
def test_one_node_gives_exactly_the_figures_of_a_sweep_on_one_machine(
    seed: int, blocks: int, level: float, loss: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = make_scores([(level * cell + rng.normal(0, 0.02, max(blocks, 1))).tolist() for cell in range(3)])
    scores["cell 1"] = lose(scores["cell 1"], loss)
    found = compare_over_nodes(scores, list_pairs(3), make_nodes([max(blocks, 1)]))
    assert [each.on_nodes for each in found.comparisons] == list(compare_all_pairs(scores))
    assert all(each.on_type is None and each.following is None for each in found.comparisons)


def test_one_node_has_one_row_which_is_its_interval() -> None:
    found = compare_centres([0.05])
    (row,) = found.nodes
    assert (row.node, row.blocks, row.ratio) == ("n1", 8, found.on_nodes.ratio)
    assert found.widest is found.on_nodes


# On these nodes


def test_few_blocks_on_each_of_several_nodes_are_enough_together() -> None:
    found = compare_centres([0.05, 0.05], [3, 3])
    assert found.on_nodes.verdict is Verdict.SLOWER
    assert found.on_nodes.p == 2 / 2**6
    assert all(row.ratio.low == 0 and row.ratio.high == math.inf for row in found.nodes)


def test_a_node_that_is_slower_as_a_whole_changes_nothing() -> None:
    scores, nodes = make_sweep([0.05, 0.05], [6, 6]), make_nodes([6, 6])

    def slow_down(logs: Mapping[int, float]) -> dict[int, float]:
        return {block: log + (block > 6) for block, log in logs.items()}

    throttled = {cell: Scores(slow_down(each.floor), slow_down(each.typical)) for cell, each in scores.items()}
    there, here = compare(throttled, nodes), compare(scores, nodes)
    assert there.on_nodes.ratio.estimate == pytest.approx(here.on_nodes.ratio.estimate)
    assert there.on_nodes.ratio.low == pytest.approx(here.on_nodes.ratio.low)
    assert there.on_nodes.verdict is here.on_nodes.verdict is Verdict.SLOWER


@pytest.mark.parametrize(
    ("centres", "verdict"),
    [
        ([-0.05, -0.05], Verdict.FASTER),
        ([0.05, 0.06], Verdict.SLOWER),
        ([0.0, 0.0], Verdict.EQUIVALENT),
        ([0.012, 0.012], Verdict.DIFFERENT_BUT_SMALL),
        ([0.05, -0.05], Verdict.UNRESOLVED),
    ],
)
def test_each_verdict_on_these_nodes_has_its_case(centres: list[float], verdict: Verdict) -> None:
    assert compare_centres(centres).on_nodes.verdict is verdict


def test_a_node_that_goes_the_other_way_takes_the_claim_away_and_is_named() -> None:
    found = compare_centres([0.05, 0.05, 0.05, -0.03])
    assert found.on_nodes.significant
    assert found.on_nodes.ratio.low > 1
    assert found.on_nodes.verdict is Verdict.UNRESOLVED
    assert found.dissenting == ("n4",)


def test_a_node_beyond_the_margin_takes_equivalence_away_and_is_named() -> None:
    found = compare_centres([0.0, 0.0, 0.0, 0.0, 0.0, 0.05])
    assert found.on_nodes.ratio.high < 1.02
    assert found.on_nodes.verdict is Verdict.UNRESOLVED
    assert found.dissenting == ("n6",)


def test_a_node_with_too_few_blocks_to_know_contradicts_nothing() -> None:
    found = compare_centres([0.05, 0.05, -0.05], [8, 8, 2])
    assert found.on_nodes.verdict is Verdict.SLOWER
    assert found.dissenting == ()


def test_a_typical_time_of_the_other_sign_takes_the_claim_away_here_too() -> None:
    scores = make_sweep([0.05] * 4, [8] * 4)
    typical = {block: log - 0.1 for block, log in scores["cell 1"].floor.items()}
    found = compare({**scores, "cell 1": dataclasses.replace(scores["cell 1"], typical=typical)}, make_nodes([8] * 4))
    assert found.on_nodes.verdict is Verdict.ESTIMATOR_DEPENDENT
    assert found.on_type is not None
    assert found.on_type.verdict is Verdict.ESTIMATOR_DEPENDENT


# On nodes of this type


@pytest.mark.parametrize(
    ("centres", "verdict"),
    [
        ([-0.05, -0.055, -0.06], Verdict.FASTER),
        ([0.05, 0.055, 0.06], Verdict.SLOWER),
        ([0.0, 0.001, -0.001, 0.0], Verdict.EQUIVALENT),
        ([0.012, 0.012, 0.012, 0.012], Verdict.DIFFERENT_BUT_SMALL),
        ([0.05, 0.05, 0.15], Verdict.UNRESOLVED),
    ],
)
def test_each_verdict_over_the_type_has_its_case(centres: list[float], verdict: Verdict) -> None:
    found = compare_centres(centres)
    assert found.on_type is not None
    assert found.on_type.verdict is verdict
    assert found.widest is found.on_type


def test_nodes_that_differ_support_a_claim_about_themselves_and_none_about_others() -> None:
    found = compare_centres([0.03, 0.06, 0.2])
    assert found.on_nodes.verdict is Verdict.SLOWER
    assert found.on_type is not None
    assert found.on_type.verdict is Verdict.UNRESOLVED
    assert found.on_type.ratio.low < 1


def test_two_nodes_say_nothing_about_their_type() -> None:
    found = compare_centres([0.05, 0.05])
    assert (found.on_type, found.spread, found.following) == (None, None, None)


def test_a_node_with_too_few_blocks_is_none_of_the_sample_but_one_of_these_nodes() -> None:
    found = compare_centres([0.05, 0.05, 0.05], [8, 8, 3])
    assert found.on_type is None
    assert found.on_nodes.blocks == 19
    assert [row.is_sampled for row in found.nodes] == [True, True, False]
    more = compare_centres([0.05, 0.05, 0.05, 0.05], [8, 8, 3, 4])
    assert more.on_type is not None
    assert more.on_type.blocks == 20


def test_the_spread_is_a_standard_deviation_of_log_ratios() -> None:
    found = compare_centres([0.02, 0.05, 0.08], noise=1e-4)
    assert found.spread is not None
    assert found.spread.estimate == pytest.approx(0.03, rel=0.01)
    assert found.spread.low < 0.03 < found.spread.high


def test_the_next_node_is_less_certain_than_the_mean_of_all() -> None:
    found = compare_centres([0.02, 0.05, 0.08])
    assert found.following is not None
    assert found.on_type is not None
    assert found.following.low < found.on_type.ratio.low
    assert found.following.high > found.on_type.ratio.high


def test_a_row_has_the_standard_error_of_its_node() -> None:
    calm, noisy, single = compare(
        make_scores([[0.0] * 9, [0.05, 0.051, 0.049, 0.05, 0.0, 0.1, 0.02, 0.08, 0.05]]), make_nodes([4, 4, 1])
    ).nodes
    assert calm.error == pytest.approx(np.std([0.05, 0.051, 0.049, 0.05], ddof=1) / 2)
    assert noisy.error > 10 * calm.error
    assert single.error == math.inf


# Disturbances


def test_disturbances_take_a_claim_away_only_if_they_can_have_caused_the_difference() -> None:
    scores, nodes = make_sweep([0.1] * 4, [8] * 4), make_nodes([8] * 4)
    for share, verdict in ((0.05, Verdict.SLOWER), (0.15, Verdict.UNRESOLVED)):
        found = compare({**scores, "cell 1": lose(scores["cell 1"], share)}, nodes)
        assert found.on_type is not None
        assert (found.on_nodes.verdict, found.on_type.verdict) == (verdict, verdict)
        assert found.on_nodes.undisturbed is not None
        assert found.on_nodes.undisturbed.low < found.on_nodes.ratio.low


@pytest.mark.long
@given(st.lists(st.floats(-0.1, 0.1), min_size=20, max_size=20), st.lists(st.floats(0, 0.1), min_size=20, max_size=20))
def test_room_for_disturbances_widens_all_intervals(noise: list[float], losses: list[float]) -> None:
    scores, nodes = make_scores([[0.0] * 20, noise]), make_nodes([5] * 4)
    least = {block: log - losses[block - 1] for block, log in scores["cell 1"].floor.items()}
    lost = {**scores, "cell 1": dataclasses.replace(scores["cell 1"], least=least)}
    before, after = compare(scores, nodes), compare(lost, nodes)
    for plain, bounded in ((before.on_nodes, after.on_nodes), (before.on_type, after.on_type)):
        assert plain is not None
        assert bounded is not None
        wide = bounded.undisturbed or bounded.ratio
        assert wide.low <= plain.ratio.low
        assert wide.high >= plain.ratio.high
    assert before.following is not None
    assert after.following is not None
    assert after.following.low <= before.following.low


def test_blocks_that_were_sampled_differently_are_left_out_and_named() -> None:
    scores, nodes = make_sweep([0.05] * 3, [5] * 3), make_nodes([5] * 3)
    for cell, length in (("cell 0", 1_000_000), ("cell 1", 10_000_000)):
        scores[cell] = dataclasses.replace(scores[cell], sampling={5: Sampling(length), 1: Sampling(1_000_000)})
    found = compare(scores, nodes)
    assert found.on_nodes.blocks == 14
    assert found.on_nodes.reason.startswith("1 block is not compared")
    assert [row.blocks for row in found.nodes] == [4, 5, 5]


def test_a_cell_that_is_missing_on_a_node_leaves_that_row_empty() -> None:
    scores = make_sweep([0.05] * 3, [5] * 3)
    floor = {block: log for block, log in scores["cell 1"].floor.items() if block <= 10}
    found = compare({**scores, "cell 1": Scores(floor, floor)}, make_nodes([5] * 3))
    assert [row.blocks for row in found.nodes] == [5, 5, 0]
    assert math.isnan(found.nodes[2].ratio.estimate)
    assert found.on_nodes.verdict is Verdict.SLOWER
    assert found.on_type is None


def test_cells_without_a_common_block_have_no_ratio() -> None:
    logs, others = dict.fromkeys(range(1, 5), 0.0), dict.fromkeys(range(5, 9), 0.0)
    found = compare({"cell 0": Scores(logs, logs), "cell 1": Scores(others, others)}, make_nodes([4, 4]))
    assert found.on_nodes.verdict is Verdict.UNRESOLVED
    assert (found.on_nodes.blocks, found.on_nodes.p) == (0, 1)


# Families, clones, odd nodes and types


def test_all_pairs_are_one_family() -> None:
    """Check 15 pairs: with two nodes of four blocks the smallest p is 2/256, too much for Holm's first step."""
    levels = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    rng = np.random.default_rng(1)
    scores = make_scores([(level + rng.normal(0, 0.001, 8)).tolist() for level in levels])
    many = compare_over_nodes(scores, list_pairs(6), make_nodes([4, 4]))
    few = compare_over_nodes(scores, list_pairs(6)[:3], make_nodes([4, 4]))
    assert not any(each.on_nodes.significant for each in many.comparisons)
    assert all(each.on_nodes.significant for each in few.comparisons)


def test_the_clone_is_a_family_of_its_own_with_a_row_for_each_node() -> None:
    scores = make_sweep([0.0] * 3, [6] * 3)
    found = compare_over_nodes(scores, [], make_nodes([6] * 3), clone=PAIR)
    assert found.comparisons == ()
    assert found.clone is not None
    assert found.clone.on_nodes.verdict is Verdict.EQUIVALENT
    assert [row.node for row in found.clone.nodes] == ["n1", "n2", "n3"]
    assert found.clone.on_type is not None
    assert compare_over_nodes(scores, [PAIR], make_nodes([6] * 3)).clone is None


def test_an_odd_node_is_named_and_the_answer_is_given_with_and_without_it() -> None:
    shares = [8] * 4
    found = compare_over_nodes(
        make_sweep([0.05, 0.05, 0.05, 0.2], shares), [PAIR], make_nodes(shares, [100, 101, 99, 120]), clone=PAIR
    )
    assert [each.name for each in found.odd] == ["n4"]
    assert found.without is not None
    (every,), (usual,) = found.comparisons, found.without.comparisons
    assert [row.node for row in every.nodes] == ["n1", "n2", "n3", "n4"]
    assert [row.node for row in usual.nodes] == ["n1", "n2", "n3"]
    assert (every.on_nodes.blocks, usual.on_nodes.blocks) == (32, 24)
    assert every.on_type is not None
    assert usual.on_type is not None
    assert (every.on_type.verdict, usual.on_type.verdict) == (Verdict.UNRESOLVED, Verdict.SLOWER)
    assert found.without.clone is not None
    assert (found.without.odd, found.without.without) == ((), None)


def test_where_every_node_is_odd_there_is_no_answer_without_them() -> None:
    found = compare_over_nodes(make_sweep([0.05, 0.05], [4, 4]), [PAIR], make_nodes([4, 4], [100, 150]))
    assert [each.name for each in found.odd] == ["n1", "n2"]
    assert found.without is None


def test_a_block_without_a_node_is_refused_and_never_dropped() -> None:
    with pytest.raises(ValueError, match="block 5 of cell 0 has no node"):
        compare_over_nodes(make_sweep([0.05], [6]), [PAIR], make_nodes([4]))


def test_the_comparison_on_one_machine_is_unchanged_by_the_choice_of_an_estimate() -> None:
    scores = make_sweep([0.05], [9])
    plain: tuple[Comparison, ...] = compare_pairs(scores, [PAIR])
    (over,) = compare_over_nodes(scores, [PAIR], make_nodes([9])).comparisons
    assert plain == (over.on_nodes,)
