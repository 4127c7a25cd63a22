"""Loops that generate as a table, in sentences, and as data; they say the same."""

import dataclasses
import io
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.analysis.costs.generation import Generation, summarise_generation
from orchestrator.analysis.costs.new_shapes import NewShapes
from orchestrator.analysis.derivation.generation import LoopCalls
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.rows import result_to_row
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.report.json_document import result_to_dict
from orchestrator.report.page.section_tables import list_section_tables
from orchestrator.report.sections import generation
from orchestrator.report.sentences import describe_group
from schemas.job import Cell
from schemas.record import JobRecord


def summarise(*calls: int, kept: int | None = 4096) -> Generation:
    found = summarise_generation([LoopCalls(calls, kept)] * 8)
    assert found is not None
    return found


def exact(value: float) -> Interval:
    return Interval(value, value, value)


def meet_prompt(first_ns: float, later_ns: float, compilations: int | None) -> NewShapes:
    return NewShapes(
        shapes=1,
        first_ns=exact(first_ns),
        later_ns=exact(later_ns),
        total_ns=exact(first_ns),
        compilations=compilations,
    )


STEADY, GROWING, UNCOUNTED = summarise(9000, 2000, 2000, 2000), summarise(9000, 2000, 2500, 3000), summarise(1, 2)


@pytest.fixture
def generating(make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]]) -> Group:
    cells = [make_cell("torch:eager"), make_cell("torch:trace"), make_cell("torch:compile")]
    (group,) = group_results(make_records([(cell, 20_000.0 + 4000 * n) for n, cell in enumerate(cells)]), cells)
    prompts = (meet_prompt(30_000, 20_000, None), meet_prompt(24_000, 24_000, 0), meet_prompt(8e9, 28_000, 5))
    found = (STEADY, GROWING, summarise(9000, 2000, 2000, 2000, kept=None))
    results = [
        dataclasses.replace(each, generation=loops, new_shapes=prompt)
        for each, loops, prompt in zip(group.results, found, prompts, strict=True)
    ]
    return dataclasses.replace(group, results=tuple(results))


def draw(group: Group) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    for table in generation.build_tables(group):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_mode_has_its_calls_by_position_its_rate_and_its_memory(generating: Group) -> None:
    lines = [" ".join(line.split()) for line in draw(generating).splitlines()]
    rates = [f"{4e9 / each.floor_ns.estimate:,.0f}" for each in generating.results]
    assert lines[0] == generation.TITLE
    assert lines[-3:] == [
        f"torch:eager 9.00 µs 2.00 µs 2.00 µs {rates[0]} 4.0 KiB 30.0 µs",
        f"torch:trace 9.00 µs 2.00 µs 3.00 µs {rates[1]} 4.0 KiB 24.0 µs",
        f"torch:compile 9.00 µs 2.00 µs 2.00 µs {rates[2]} – 8.00 s",
    ]


def test_a_loop_of_two_calls_has_no_further_column(generating: Group) -> None:
    results = [dataclasses.replace(each, generation=UNCOUNTED, new_shapes=None) for each in generating.results]
    group = dataclasses.replace(generating, results=tuple(results))
    assert generation.list_headings(group)[1:4] == ("first\ncall", "call\n2", "calls a\nsecond")
    assert {row[-1] for row in generation.list_rows(group)} == {"–"}
    assert {len(row) for row in generation.list_rows(group)} == {len(generation.list_headings(group))}


def test_a_page_has_the_rows_of_the_terminal(generating: Group) -> None:
    (found,) = list_section_tables(generating, has_accuracy=False)
    table = found.table
    assert found.title == generation.TITLE
    assert table.headings == generation.list_headings(generating)
    assert [row.cells for row in table.rows] == [*generation.list_rows(generating)]


def test_only_what_grows_has_a_sentence(generating: Group) -> None:
    said = [each for each in describe_group(generating) if "calls takes" in each]
    assert said == [
        "torch:trace: the last of 4 calls takes 1.50 times as long as the second (1.50–1.50), as its state has grown."
    ]


def test_what_compiles_for_another_prompt_is_said_once(generating: Group) -> None:
    said = [each for each in describe_group(generating) if "8.00 s" in each]
    assert said == [
        "torch:compile recompiles for each new shape: the first call at one takes 8.00 s, the next 28.0 µs."
    ]


def test_a_growth_that_the_processes_do_not_support_has_no_sentence(generating: Group) -> None:
    few = summarise_generation([LoopCalls((9000, 2000, 2500, 3000), 0)] * 3)
    results = [dataclasses.replace(each, generation=few, new_shapes=None) for each in generating.results]
    assert not [*generation.describe_generation(dataclasses.replace(generating, results=tuple(results)))]


def test_the_document_has_each_position_and_null_without_loops(generating: Group) -> None:
    _, growing, uncounted = generating.results
    found = result_to_dict(growing)["generation"]
    assert found["calls"] == 4
    assert {place: each["estimate"] for place, each in found["call_ns"].items()} == {"1": 9000, "2": 2000, "4": 3000}
    assert found["last_over_second"]["estimate"] == 1.5
    assert found["calls_per_second"] == pytest.approx(4e9 / growing.floor_ns.estimate)
    assert found["kept_bytes"]["estimate"] == 4096
    assert result_to_dict(uncounted)["generation"]["kept_bytes"]["estimate"] is None
    row = result_to_row(growing)
    names = ("calls", "first_ns", "second_ns", "last_ns", "kept_bytes")
    assert [row[f"generation_{name}"] for name in names] == [4, 9000, 2000, 3000, 4096]
    plain: Result = dataclasses.replace(growing, generation=None)
    assert result_to_dict(plain)["generation"] is None
    assert {result_to_row(plain)[f"generation_{name}"] for name in names} == {None}


def test_a_sweep_without_loops_shows_nothing(generating: Group) -> None:
    results = [dataclasses.replace(each, generation=None) for each in generating.results]
    plain = dataclasses.replace(generating, results=tuple(results))
    assert draw(plain) == ""
    assert [*list_section_tables(plain, has_accuracy=True)] == []
    assert not [*generation.describe_generation(plain)]
