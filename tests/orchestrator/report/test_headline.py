"""The first sentence of a group claims no more than its ranks do."""

from collections.abc import Callable

from orchestrator.analysis.groups import group_results
from orchestrator.analysis.results import Group
from orchestrator.report.sentences import write_headline
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecords = Callable[..., list[JobRecord]]


def group(make_cell: MakeCell, make_records: MakeRecords, *times_ns: float, noise: float = 0.003) -> Group:
    labels = ("torch:eager", "torch:trace", "torch:script")
    timed = [(make_cell(label), time) for label, time in zip(labels, times_ns, strict=False)]
    (found,) = group_results(make_records(timed, noise=noise), [make_cell(label) for label in labels])
    return found


def test_the_fastest_is_named_with_its_time(make_cell: MakeCell, make_records: MakeRecords) -> None:
    (said,) = write_headline(group(make_cell, make_records, 2000, 1000, 3000))
    assert said == "torch:trace is the fastest, at 1.00 µs per call."


def test_a_first_place_that_is_shared_is_not_given_to_one(make_cell: MakeCell, make_records: MakeRecords) -> None:
    (said,) = write_headline(group(make_cell, make_records, 1000, 1000, 3000, noise=0.05))
    assert "but this run cannot tell it apart from" in said


def test_one_that_was_measured_alone_is_no_winner(make_cell: MakeCell, make_records: MakeRecords) -> None:
    (said,) = write_headline(group(make_cell, make_records, 1000))
    assert said.startswith("Only torch:eager was measured, at ")


def test_where_nothing_was_measured_that_is_said(make_cell: MakeCell) -> None:
    (found,) = group_results([], [make_cell("torch:eager")])
    assert list(write_headline(found)) == ["No mode was measured."]
