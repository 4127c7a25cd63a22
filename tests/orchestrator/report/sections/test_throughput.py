"""Requests of several clients at once as a table, in sentences, as data and on the page; they say the same."""

import dataclasses
import io
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.analysis.costs.throughput import Throughput
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.results import Group
from orchestrator.analysis.rows import result_to_row
from orchestrator.analysis.statistics.intervals import NO_INTERVAL, Interval
from orchestrator.report.json_document import result_to_dict
from orchestrator.report.page.section_tables import list_section_tables
from orchestrator.report.sections import throughput
from orchestrator.report.sentences import describe_group
from schemas.job import Cell
from schemas.record import JobRecord

MIB = 1 << 20
Serve = Callable[..., Group]


def around(estimate: float) -> Interval:
    return Interval(estimate, 0.98 * estimate, 1.02 * estimate)


def serve(clients: int, processes: int, rate: float, **changes: object) -> Throughput:
    known = {
        "clients": clients,
        "processes": processes,
        "per_second": around(rate),
        "gain": around(rate / 1000),
        "share": around(0.97) if clients == 1 else NO_INTERVAL,
        "latency_ns": {"p50": around(1e6), "p90": around(2e6), "p99": around(3e6)},
        "pss": around(100 * MIB * processes),
        "error": "",
    }
    return Throughput(**{**known, **changes})  # type: ignore[arg-type]


@pytest.fixture
def group_of(make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]]) -> Serve:
    """Return a group of two modes, of which the first was served like this."""

    def make(*served: Throughput, threads: int = 1) -> Group:
        cells = [make_cell(mode).model_copy(update={"threads": threads}) for mode in ("torch:eager", "torch:trace")]
        (group,) = group_results(make_records([(cell, 1000.0 + n) for n, cell in enumerate(cells)]), cells)
        first, *rest = group.results
        return dataclasses.replace(group, results=(dataclasses.replace(first, throughput=served), *rest))

    return make


@pytest.fixture
def group(group_of: Serve) -> Group:
    return group_of(serve(1, 1, 1000), serve(2, 1, 1500), serve(2, 2, 1900))


def draw(group: Group) -> list[str]:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    for table in throughput.build_tables(group):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_each_number_of_clients_has_a_row_below_its_mode(group: Group) -> None:
    assert draw(group)[-4:] == [
        "torch:eager",
        "1 thread 1,000 980–1,020 1.00 1.00 ms 3.00 ms 100 MiB",
        "2 threads 1,500 1,470–1,530 1.50 1.00 ms 3.00 ms 100 MiB",
        "2 processes 1,900 1,862–1,938 1.90 1.00 ms 3.00 ms 200 MiB",
    ]


def test_a_figure_that_is_not_known_is_a_dash(group_of: Serve) -> None:
    bare = serve(1, 1, 5, gain=NO_INTERVAL, latency_ns={}, pss=NO_INTERVAL, per_second=Interval(5.0, -1e999, 1e999))
    assert draw(group_of(bare))[-1] == "1 thread 5 – – – – –"


def test_what_raised_has_failed_in_its_row_and_its_reason_in_a_sentence(group_of: Serve) -> None:
    group = group_of(serve(1, 1, 1000), serve(2, 1, 1, per_second=NO_INTERVAL, error="RuntimeError: busy"))
    assert draw(group)[-1] == "2 threads failed – – – – –"
    assert "torch:eager cannot serve 2 threads at once: RuntimeError: busy." in [*describe_group(group)]


def test_a_page_has_the_rows_of_the_terminal(group: Group) -> None:
    (found,) = list_section_tables(group, has_accuracy=False)
    table = found.table
    assert found.title == throughput.TITLE
    assert table.headings == throughput.HEADINGS
    assert [row.cells for row in table.rows] == [*throughput.list_rows(group)]


def test_a_group_that_served_nobody_has_no_table_and_no_sentence(group_of: Serve) -> None:
    group = group_of()
    assert draw(group) == []
    assert [*list_section_tables(group, has_accuracy=True)] == []
    assert [*throughput.describe_throughput(group.ranked)] == []
    assert result_to_dict(group.results[0])["throughput"] is None
    assert result_to_row(group.results[0])["requests_per_second"] is None


def test_the_sentence_names_what_answers_most(group: Group) -> None:
    said = (
        "torch:eager answers most requests: 1,900 (1,862–1,938) a second by 2 processes of one thread, "
        "1.90 (1.86–1.94) times as many as one client gets."
    )
    assert said in [*describe_group(group)]


@pytest.mark.parametrize(
    ("other", "untold"),
    [(around(1000), False), (around(1890), True), (Interval(1000.0, float("-inf"), float("inf")), True)],
)
def test_a_highest_rate_that_this_run_cannot_tell_apart_is_no_claim(
    group: Group, other: Interval, *, untold: bool
) -> None:
    first, second = group.results
    rival = dataclasses.replace(second, throughput=(serve(1, 1, 1, per_second=other),))
    sentence = next(iter(throughput.describe_throughput([first, rival])))
    assert sentence.startswith("torch:eager has the highest rate of requests, 1,900") is untold
    assert ("but this run cannot tell it apart from torch:trace." in sentence) is untold
    assert sentence.startswith("torch:eager answers most requests") is not untold


@pytest.mark.parametrize(("share", "is_said"), [(0.97, False), (0.6, True)])
def test_one_client_that_gets_less_than_samples_promise_has_a_reason(
    group_of: Serve, share: float, *, is_said: bool
) -> None:
    said = [*throughput.describe_throughput(group_of(serve(1, 1, 1000, share=around(share))).ranked)]
    assert any("waits for each result" in each for each in said) is is_said


def test_ways_to_use_as_many_threads_are_compared(group_of: Serve) -> None:
    one = group_of(serve(1, 1, 1000), serve(2, 1, 1500), serve(2, 2, 1900))
    two = group_of(serve(1, 1, 1700), serve(2, 1, 2500), threads=2)
    (said,) = throughput.describe_servers([one, two])
    assert said == (
        "With 2 threads in all, torch:eager answers so many requests a second: 1,900 (1,862–1,938) by 2 processes of "
        "one thread, 1,700 (1,666–1,734) by one process of 2 threads and 1,500 (1,470–1,530) by one process of one "
        "thread for 2 clients."
    )


def test_one_number_of_threads_is_no_comparison(group: Group) -> None:
    assert [*throughput.describe_servers([group])] == []


def test_data_have_every_figure_with_its_ends(group: Group) -> None:
    first, *_, last = result_to_dict(group.results[0])["throughput"]
    assert (last["clients"], last["processes"]) == (2, 2)
    assert last["per_second"] == pytest.approx({"estimate": 1900, "low": 1862, "high": 1938})
    assert last["share_of_samples"]["estimate"] is None
    assert first["share_of_samples"]["estimate"] == 0.97
    assert last["pss_bytes"]["estimate"] == 200 * MIB


def test_a_row_has_the_most_requests_and_how_they_were_answered(group: Group) -> None:
    row = result_to_row(group.results[0])
    assert row["requests_per_second"] == 1900
    assert row["requests_high_per_second"] == pytest.approx(1938)
    assert (row["requests_clients"], row["requests_processes"]) == (2, 2)
