"""Costs of new shapes over processes."""

import math
from collections.abc import Callable, Sequence

import pytest

from orchestrator.analysis.costs.new_shapes import summarise_new_shapes
from schemas.event import NewShape, Report

MakeReport = Callable[..., Report]
Note = tuple[int, int | None, int | None]


def met(make_report: MakeReport, *processes: Sequence[Note]) -> list[tuple[NewShape, ...]]:
    return [
        make_report(
            new_shapes=[
                {"first_ns": first, "second_ns": second, "compilations": compiled} for first, second, compiled in notes
            ]
        ).new_shapes
        for notes in processes
    ]


def test_where_no_new_shape_came_there_is_nothing_to_say(make_report: MakeReport) -> None:
    assert summarise_new_shapes([]) is None
    assert summarise_new_shapes(met(make_report, [], [])) is None


def test_each_process_gives_its_median_and_its_sum(make_report: MakeReport) -> None:
    found = summarise_new_shapes(
        met(make_report, [(100, 10, 1), (300, 10, 1), (900, 30, 0)], [(50, 20, 1), (50, 20, 1)])
    )
    assert found is not None
    assert found.shapes == 3
    assert found.first_ns.estimate == pytest.approx((300 + 50) / 2)
    assert found.later_ns.estimate == pytest.approx((10 + 20) / 2)
    assert found.total_ns.estimate == pytest.approx((1300 + 100) / 2)
    assert found.compilations == 2


def test_six_processes_make_an_interval(make_report: MakeReport) -> None:
    found = summarise_new_shapes(met(make_report, *([(100 + number, 10, None)] for number in range(6))))
    assert found is not None
    assert (found.first_ns.low, found.first_ns.high) == (100, 105)


@pytest.mark.parametrize(
    ("note", "dear"),
    [((1000, 900, 1), True), ((1000, 10, None), True), ((1000, 900, 0), False), ((20, 10, None), False)],
)
def test_a_new_shape_is_dear_if_it_compiles_or_takes_far_longer_than_the_next_call(
    make_report: MakeReport, note: Note, dear: bool
) -> None:
    found = summarise_new_shapes(met(make_report, [note]))
    assert found is not None
    assert found.is_costly is dear


def test_where_weights_move_there_is_no_next_call_and_nothing_is_dear_unless_it_compiles(
    make_report: MakeReport,
) -> None:
    moving, compiling = (summarise_new_shapes(met(make_report, [(1000, None, count)])) for count in (None, 2))
    assert moving is not None
    assert compiling is not None
    assert math.isnan(moving.later_ns.estimate)
    assert (moving.is_costly, compiling.is_costly) == (False, True)
