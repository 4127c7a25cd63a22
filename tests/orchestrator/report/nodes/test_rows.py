"""The rows about a pair by node, which the terminal, the page and the server show."""

import pytest

from orchestrator.report.nodes.rows import HEADINGS, list_answers, list_nodes, list_pairs, list_rows, name_pair
from tests.orchestrator.report.nodes.test_sentences import compare


def test_nodes_come_before_answers_and_each_has_its_interval() -> None:
    result = compare([0.05, 0.06, 0.04])
    (pair,) = result.comparisons
    nodes, answers = list(list_nodes(result, pair)), list(list_answers(pair))
    assert [row.name for row in nodes] == ["n1", "n2", "n3"]
    assert [row.ratio for row in nodes] == [each.ratio for each in pair.nodes]
    assert [row.name for row in answers] == [
        "on these nodes",
        "on nodes of this type",
        "spread between nodes",
        "next node",
    ]
    assert answers[0].ratio == pair.on_nodes.undisturbed or answers[0].ratio == pair.on_nodes.ratio
    assert answers[2].ratio is None  # a spread is no ratio, and has no place among them
    assert answers[3].ratio == pair.following


def test_verdicts_stand_with_the_answers_alone() -> None:
    result = compare([0.05, 0.06, 0.04])
    (pair,) = result.comparisons
    assert {row.verdict for row in list_nodes(result, pair)} == {""}
    assert [row.verdict for row in list_answers(pair)] == ["SLOWER", "SLOWER", "", ""]


def test_a_node_that_is_off_has_its_canary() -> None:
    result = compare([0.05] * 4, canaries=[100, 100, 100, 120])
    rows = [*list_nodes(result, result.comparisons[0])]
    assert [row.canary for row in rows] == [None, None, None, pytest.approx(1.2)]
    assert [row.note for row in rows] == ["", "", "", "(canary +20 %)"]


def test_the_clone_is_the_last_pair_and_all_rows_are_its_nodes_and_answers() -> None:
    result = compare([0.05, 0.06, 0.04], clone=True)
    assert list_pairs(result) == [*result.comparisons, result.clone]
    assert list_pairs(compare([0.05, 0.06, 0.04])) == [*result.comparisons]
    pair = result.comparisons[0]
    assert list_rows(result, pair) == [*list_nodes(result, pair), *list_answers(pair)]


def test_a_node_without_a_block_has_no_ratio() -> None:
    result = compare([0.05, 0.05, 0.05], [8, 8, 0])
    rows = [*list_nodes(result, result.comparisons[0])]
    assert [row.name for row in rows] == ["n1", "n2"]


def test_the_title_names_the_pair_and_the_type() -> None:
    result = compare([0.05, 0.06, 0.04])
    assert name_pair(result, result.comparisons[0]) == "cell 1 over cell 0, by node of type d128fb31"
    assert HEADINGS == ("node", "blocks", "ratio", "verdict")
