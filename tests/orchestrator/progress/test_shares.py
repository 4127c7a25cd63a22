"""A person sees a row for each node, and lines where nothing can be redrawn."""

import io

import pytest
from rich.console import Console

from orchestrator.execution.shares.attempt import ShareRow
from orchestrator.progress.shares import MOST_ROWS, ShareLines, ShareTable, build_table, format_row

MEASURING = ShareRow((1, 1), "n1", 2, 4, "measuring")
WAITING = ShareRow((2, 3), "", 0, 4, "waiting", "Resources")


def render(*rows: ShareRow, waiting: int = 0) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(build_table(rows, waiting))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_row_has_node_share_blocks_and_state() -> None:
    heading, first, second, *_ = render(WAITING, MEASURING).splitlines()
    assert heading.split() == ["node", "share", "blocks", "state"]
    assert first.split() == ["n1", "1", "2", "of", "4", "measuring"]
    assert second.split() == ["-", "2", "(attempt", "3)", "0", "of", "4", "waiting:", "Resources"]


def test_many_nodes_are_counted_below_those_that_measure() -> None:
    rows = [ShareRow((number, 1), f"n{number:03}", 0, 1, "waiting") for number in range(1, MOST_ROWS + 11)]
    text = render(*rows, MEASURING, waiting=7)
    assert text.splitlines()[1].split()[0] == "n1"
    assert "11 more handed out, 7 to come" in text
    assert len(text.splitlines()) == MOST_ROWS + 2


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (MEASURING, "[2 of 4 blocks] share 1 on n1: measuring"),
        (WAITING, "[0 of 4 blocks] share 2, attempt 3: waiting (Resources)"),
        (
            ShareRow((1, 1), "n\x1b[2J", 0, 1, "running"),
            "[0 of 1 blocks] share 1 on n\N{REPLACEMENT CHARACTER}[2J: running",
        ),
    ],
)
def test_a_share_is_one_line_that_obeys_no_escape(row: ShareRow, line: str) -> None:
    assert format_row(row) == line


def test_lines_are_printed_when_something_has_changed() -> None:
    console = Console(file=io.StringIO(), width=200)
    with ShareLines(console) as show:
        show([MEASURING], 3)
        show([MEASURING], 3)
        show([ShareRow((1, 1), "n1", 3, 4, "measuring")], 0)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == [
        "[waiting] 3 shares to come",
        "[2 of 4 blocks] share 1 on n1: measuring",
        "[3 of 4 blocks] share 1 on n1: measuring",
    ]


def test_a_table_is_drawn_when_it_is_told_and_leaves_nothing() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with ShareTable(console) as show:
        show([MEASURING], 0)
        assert isinstance(console.file, io.StringIO)
        assert "measuring" in console.file.getvalue()


def test_a_node_between_two_shares_keeps_its_row() -> None:
    console = Console(file=io.StringIO(), width=100, height=40, force_terminal=True)
    with ShareTable(console) as show:
        show([MEASURING, ShareRow((3, 1), "n2", 1, 4, "measuring")], 1)
        show([ShareRow((3, 1), "n2", 2, 4, "measuring")], 1)
    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue().rpartition("node")[2]
    rows = [" ".join(line.split()) for line in last.splitlines()]
    assert "n1 no share now" in rows
    assert "n2 3 2 of 4 measuring" in rows


def test_brackets_in_names_and_reasons_are_shown_as_they_are() -> None:
    text = render(ShareRow((1, 1), "n[1-4]", 0, 1, "waiting", "ReqNodeNotAvail [/bold] [red]n3[/red]"))
    assert "n[1-4]" in text
    assert "waiting: ReqNodeNotAvail [/bold] [red]n3[/red]" in " ".join(text.split())
