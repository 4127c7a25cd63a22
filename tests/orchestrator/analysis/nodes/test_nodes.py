"""Nodes of one type of machine, and nodes whose canary is off."""

import pytest

from orchestrator.analysis.compare import Scores
from orchestrator.analysis.nodes.nodes import Nodes, OddNode, find_odd_nodes, restrict_scores
from orchestrator.analysis.quality.comparability import Sampling
from orchestrator.analysis.quality.flags import CANARY_LIMIT
from tests.orchestrator.analysis.nodes.sweeps import KIND, make_nodes

TYPES = {"n1": "small", "n2": "large", "n3": "small"}


def test_nodes_stand_in_the_order_of_their_first_blocks() -> None:
    nodes = Nodes(by_block={3: "n1", 1: "n3", 2: "n1"}, types=TYPES)
    assert nodes.names == ("n3", "n1")
    assert nodes.machine_type == "small"


def test_nodes_of_several_types_are_never_pooled() -> None:
    with pytest.raises(ValueError, match=r"never pooled \(n1 is small, n2 is large\): compare each type by itself"):
        Nodes(by_block={1: "n1", 2: "n2"}, types=TYPES)


def test_a_node_without_a_type_is_refused() -> None:
    with pytest.raises(ValueError, match="the type of node n9 is not known"):
        Nodes(by_block={1: "n9"}, types=TYPES)


def test_no_nodes_are_refused() -> None:
    with pytest.raises(ValueError, match="no block has a node"):
        Nodes(by_block={}, types=TYPES)


@pytest.mark.parametrize("name", ["n1", "n3"])
def test_a_node_that_is_left_out_takes_its_blocks_along(name: str) -> None:
    left = make_nodes([2, 1, 1]).leave_out({name})
    assert name not in left.names
    assert len(left.names) == 2
    assert name not in left.by_block.values()


def test_a_node_is_odd_in_either_direction_beyond_the_limit_of_a_process() -> None:
    nodes = make_nodes([1] * 5, [100, 101, 99, 106, 94])
    assert find_odd_nodes(nodes) == (OddNode("n4", 1.06), OddNode("n5", 0.94))
    assert find_odd_nodes(make_nodes([1] * 3, [100, 100 * CANARY_LIMIT, 100 / CANARY_LIMIT])) == ()


def test_the_median_is_not_moved_by_one_node_that_is_far_off() -> None:
    assert [each.name for each in find_odd_nodes(make_nodes([1] * 3, [100, 300, 101]))] == ["n2"]


def test_of_two_nodes_that_differ_neither_is_the_usual_one() -> None:
    assert [each.name for each in find_odd_nodes(make_nodes([1, 1], [100, 120]))] == ["n1", "n2"]
    assert find_odd_nodes(make_nodes([1, 1], [100, 104])) == ()


def test_nodes_whose_canary_is_not_known_are_not_odd() -> None:
    assert find_odd_nodes(make_nodes([1, 1, 1])) == ()
    assert find_odd_nodes(make_nodes([1, 1, 1], [100])) == ()
    # A node without a canary has a time of zero.
    assert find_odd_nodes(make_nodes([1, 1, 1], [100, 0, 101])) == ()


def test_scores_keep_the_blocks_of_some_nodes_only() -> None:
    logs = {1: 0.1, 2: 0.2, 3: 0.3}
    scores = {"cell": Scores(logs, logs, sampling={1: Sampling(10), 3: Sampling(10)}, least=logs)}
    left = restrict_scores(scores, make_nodes([2]))["cell"]
    assert left.floor == left.typical == {1: 0.1, 2: 0.2}
    assert left.sampling == {1: Sampling(10)}
    assert make_nodes([2]).machine_type == KIND
