"""A comparison over nodes as data holds every figure of its table, and is valid JSON."""

import json

import pytest

from orchestrator.report.nodes.document import nodes_to_dict
from orchestrator.report.nodes.sentences import describe_nodes
from tests.orchestrator.report.nodes.test_sentences import compare


def test_each_node_and_each_answer_has_its_figures() -> None:
    result = compare([0.05, 0.06, 0.04], [8, 9, 10])
    document = nodes_to_dict(result)
    assert (document["machine_type"], document["nodes"]) == ("d128fb31", ["n1", "n2", "n3"])
    (pair,) = document["comparisons"]
    (found,) = result.comparisons
    assert [(row["node"], row["blocks"]) for row in pair["nodes"]] == [("n1", 8), ("n2", 9), ("n3", 10)]
    assert pair["nodes"][0]["log_error"] == found.nodes[0].error
    assert pair["on_nodes"]["verdict"] == pair["on_type"]["verdict"] == "SLOWER"
    assert found.spread is not None
    assert pair["log_spread"]["estimate"] == found.spread.estimate
    assert pair["next_node"]["low"] < pair["on_type"]["ratio"]["low"]
    assert document["sentences"] == describe_nodes(result)


def test_what_the_nodes_do_not_support_is_null() -> None:
    document = nodes_to_dict(compare([0.05, 0.05], [8, 1]))
    (pair,) = document["comparisons"]
    assert (pair["on_type"], pair["log_spread"], pair["next_node"]) == (None, None, None)
    assert (document["clone"], document["without"], document["odd"]) == (None, None, {})
    assert pair["nodes"][1]["log_error"] is None
    assert (pair["nodes"][1]["ratio"]["low"], pair["nodes"][1]["ratio"]["high"]) == (None, None)


def test_no_spread_is_zero_and_not_null() -> None:
    document = nodes_to_dict(compare([0.0, 0.0, 0.0]))
    assert document["comparisons"][0]["log_spread"]["low"] == 0


def test_odd_nodes_and_dissenting_ones_are_named() -> None:
    document = nodes_to_dict(compare([0.05, 0.05, 0.05, -0.03], canaries=[100, 100, 100, 120]))
    assert document["odd"] == {"n4": pytest.approx(1.2)}
    assert document["comparisons"][0]["dissenting"] == ["n4"]
    assert document["without"]["nodes"] == ["n1", "n2", "n3"]
    assert document["without"]["comparisons"][0]["on_nodes"]["verdict"] == "SLOWER"


def test_the_clone_is_a_pair_like_any_other() -> None:
    document = nodes_to_dict(compare([0.0, 0.0, 0.0], clone=True))
    assert document["clone"]["on_nodes"]["verdict"] == "EQUIVALENT"
    assert len(document["clone"]["nodes"]) == 3


@pytest.mark.parametrize("centres", [[0.05], [0.05, -0.05], [0.05, 0.06, 0.04, 0.2]])
def test_the_document_is_json_without_infinities(centres: list[float]) -> None:
    result = compare(centres, canaries=[100, 100, 100, 130], clone=True)
    document = nodes_to_dict(result)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
