"""The table and the sentences about single calls."""

import io
from collections.abc import Callable, Sequence

import pytest
from rich.console import Console
from rich.table import Table

from orchestrator.analysis.groups import group_results
from orchestrator.analysis.results import Group
from orchestrator.report.sections import latency
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MakeGroup = Callable[[int], Group]


def render_text(table: Table) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def make_group(
    make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord], make_report: Callable[..., Report]
) -> MakeGroup:
    """Return a function that makes a group of two modes with so many single calls in each of eight processes."""

    def make(calls: int) -> Group:
        cells = [make_cell("numpy:eager"), make_cell("torch:eager")]
        records: Sequence[JobRecord] = [
            make_record(cell, block, result=make_report(call_ns, latency_ns=[call_ns + 10 * i for i in range(calls)]))
            for block in range(1, 9)
            for cell, call_ns in zip(cells, (1000, 2000), strict=True)
        ]
        (group,) = group_results(records, cells)
        return group

    return make


def test_the_table_has_the_floor_and_the_percentiles_with_their_intervals(make_group: MakeGroup) -> None:
    (table,) = latency.build_tables(make_group(1000))
    lines = render_text(table)
    assert "Single calls" in lines
    assert "p99" in lines
    row = next(line for line in lines.splitlines() if "numpy:eager" in line)
    assert row.split()[1:] == ["1.00", "µs", "6.00", "µs", "10.0", "µs", "10.9", "µs"]
    assert "6.00 µs–6.00 µs" in lines


def test_a_percentile_that_needs_more_calls_is_a_dash_and_is_named(make_group: MakeGroup) -> None:
    group = make_group(100)
    (table,) = latency.build_tables(group)
    assert "–" in next(line for line in render_text(table).splitlines() if "numpy:eager" in line)
    sentences = [*latency.describe_latency(group)]
    assert [sentence.split(":")[0] for sentence in sentences] == ["Single calls of numpy", "Single calls of torch"]
    assert all(sentence.endswith("; its processes made too few calls for p99.") for sentence in sentences)


def test_without_single_calls_there_is_neither(make_group: MakeGroup) -> None:
    group = make_group(0)
    assert [*latency.build_tables(group)] == []
    assert [*latency.describe_latency(group)] == []
