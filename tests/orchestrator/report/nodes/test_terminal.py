"""The table by node: a row for each node, then the answers about all of them, with and without odd nodes."""

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from orchestrator.analysis.nodes.comparison import NodesResult
from orchestrator.report.nodes.terminal import build_node_tables, show_nodes
from tests.orchestrator.report.nodes.test_sentences import compare


def draw(result: NodesResult, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    show_nodes(console, result)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def list_rows(centres: Sequence[float], shares: Sequence[int] = (), canaries: Sequence[float] = ()) -> list[list[str]]:
    """Return the rows of the first table below its rule, each as its columns."""
    text = draw(compare(centres, shares, canaries))
    below = text.partition("───\n")[2].partition("\n•")[0]
    return [line.split("  ") for line in below.splitlines() if line.strip()]


def test_each_node_has_a_row_and_the_answers_stand_below() -> None:
    rows = list_rows([0.05, 0.06, 0.04])
    assert [row[0].strip() for row in rows] == [
        "n1",
        "n2",
        "n3",
        "on these nodes",
        "on nodes of this type",
        "spread between nodes",
        "next node",
    ]


def test_the_rows_have_their_figures() -> None:
    text = draw(compare([0.05, 0.06, 0.04], [8, 9, 10]))
    lines = text.splitlines()
    assert lines[0].strip() == "cell 1 over cell 0, by node of type d128fb31"
    assert any(line.split()[:3] == ["n2", "9", "1.062"] for line in lines)
    assert any(line.startswith("on these nodes") and line.split()[3] == "27" and "SLOWER" in line for line in lines)
    assert any(line.startswith("spread between nodes") and "1.0 % (0.5–" in line for line in lines)
    assert any(line.startswith("next node") and "–" in line for line in lines)


def test_with_two_nodes_the_table_ends_with_them() -> None:
    assert [row[0].strip() for row in list_rows([0.05, 0.05])] == ["n1", "n2", "on these nodes"]


def test_a_node_without_a_common_block_has_a_dash() -> None:
    result = compare([0.05, 0.05, 0.05], [8, 8, 1])
    (row,) = [line for line in draw(result).splitlines() if line.startswith("n3")]
    # One block is an estimate without an interval.
    assert row.split() == ["n3", "1", row.split()[2]]


def test_an_odd_node_has_its_canary_and_answers_without_it() -> None:
    rows = [row[0].strip() for row in list_rows([0.05, 0.06, 0.04, 0.2], canaries=[100, 100, 100, 120])]
    assert rows[3:5] == ["n4", "(canary +20 %)"]
    assert rows[rows.index("without n4") :] == [
        "without n4",
        "on these nodes",
        "on nodes of this type",
        "spread between nodes",
        "next node",
    ]


def test_two_odd_nodes_are_left_out_together() -> None:
    canaries = [100, 101, 99, 120, 80, 100]
    rows = [row[0].strip() for row in list_rows([0.05] * 6, canaries=canaries)]
    assert "(canary -20 %)" in rows
    assert "without n4, n5" in rows


def test_the_clone_has_a_table_with_its_ratio_on_each_node() -> None:
    result = compare([0.0, 0.0, 0.0], canaries=[100, 100, 130], clone=True)
    assert len(list(build_node_tables(result))) == 2
    assert draw(result).count("without n3") == 2
    assert len(list(build_node_tables(compare([0.0, 0.0])))) == 1


@pytest.mark.parametrize("centres", [[0.05], [0.05, -0.05], [0.05, 0.06, 0.04, 0.2]])
def test_the_table_fits_eighty_columns(centres: list[float]) -> None:
    text = draw(compare(centres, canaries=[100, 100, 100, 130], clone=True))
    assert max(map(len, text.splitlines())) <= 80


def test_sentences_stand_below_the_tables() -> None:
    text = draw(compare([0.05, 0.06, 0.04]))
    assert text.index("• cell 1 over cell 0, on these 3 nodes") > text.index("next node")
