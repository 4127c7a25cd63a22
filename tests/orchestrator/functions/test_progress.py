"""Progress on one line, from the events of a sweep."""

import io
from collections.abc import Callable

from orchestrator.execution.sweep_events import BlockStarted, JobEnded, JobStarted
from orchestrator.functions.progress import WIDTH, ProgressLine
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_cell, a_spec


def test_the_line_is_written_again_for_each_job_and_ends_with_the_sweep(make_record: Callable[..., JobRecord]) -> None:
    stream, times = io.StringIO(), iter((0.0, 1.0, 65.0, 70.0))
    cells = [a_cell(variant=name) for name in ("old", "new")]
    with ProgressLine(stream, lambda: next(times)) as show:
        show(BlockStarted(1, cells))
        show(JobStarted(a_spec(cells[0])))
        show(JobEnded(make_record(cells[0])))
        show(JobStarted(a_spec(cells[1])))
        show(JobEnded(make_record(cells[1])))
    first, second, last = (line.rstrip() for line in stream.getvalue().split("\r")[1:])
    assert first == "block 1, process 1 of 2, 0:01, numpy:eager old: measure"
    assert second == "block 1, process 2 of 2, 1:05, numpy:eager new: measure"
    assert last == "2 processes in 1:10"
    assert stream.getvalue().endswith("\n")


def test_each_line_covers_the_one_before() -> None:
    stream = io.StringIO()
    with ProgressLine(stream) as show:
        show(JobStarted(a_spec(a_cell(variant="a" * 200))))
    assert {len(line.rstrip("\n")) for line in stream.getvalue().split("\r")[1:]} == {WIDTH}


def test_a_name_cannot_move_the_cursor() -> None:
    stream = io.StringIO()
    with ProgressLine(stream) as show:
        show(JobStarted(a_spec(a_cell(variant="\x1b[2J"))))
    assert "\x1b" not in stream.getvalue()
