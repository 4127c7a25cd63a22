"""The content of pages: the words of the terminal, one line a row."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from orchestrator.analysis.derivation.process import derive_processes
from orchestrator.analysis.run import Run
from orchestrator.comparison.history import trace_history
from orchestrator.records.store import Store
from orchestrator.report.server import views
from orchestrator.report.server.library import Library
from schemas.job import Cell
from schemas.record import JobRecord

MakeRecord = Callable[..., JobRecord]

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "line"),
    [("DIFFERENT-\nBUT-SMALL", "DIFFERENT-BUT-SMALL"), ("10 µs\n20 µs", "10 µs / 20 µs"), ("SLOWER", "SLOWER")],
)
def test_what_a_narrow_terminal_folds_is_one_line(text: str, line: str) -> None:
    assert views.join_lines(text) == line


def test_results_have_the_answer_and_a_row_for_each_mode_as_wide_as_the_headings(place: Store) -> None:
    found = views.build_results(Run.from_store(place))
    assert found.answer[0].startswith("torch:script is the fastest, at 10.0 µs per call")
    (table,) = found.tables
    assert [row[0] for row in table.rows] == ["torch:script", "torch:eager"]
    assert {len(row) for row in table.rows} == {len(table.headings)}
    assert found.machine.startswith("a CPU, 2 cores, 1 GiB (type ")
    assert (found.alarms, found.skipped) == ([], [])


def test_a_run_along_an_axis_has_that_table_first(
    make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]], make_run: Callable[..., Store]
) -> None:
    cells = [(make_cell("torch:eager", threads=threads), 1000.0 / threads) for threads in (1, 2)]
    run = Run.from_store(make_run("axis", make_records(cells))).compared_by("threads")
    first, *others = views.build_results(run).tables
    assert first.headings[:2] == ("mode", "threads")
    assert {len(row) for row in first.rows} == {len(first.headings)}
    assert len(others) == 2


def test_progress_names_blocks_jobs_and_the_end(place: Store) -> None:
    found = Library(place.folder.parent).open_run(place.name)
    told = views.build_progress(found, NOON)
    assert told == views.Progress(
        "finished", "24 jobs ended, 12 of at most 32 blocks. Ended: all blocks were run.", "", ()
    )
    found.manifest = found.manifest.model_copy(update={"stopped": "", "finished": False})
    assert views.build_progress(found, NOON).text == "24 jobs ended, 12 of at most 32 blocks."


def test_progress_of_a_running_sweep_has_its_age_and_the_end_of_the_running_jobs_log(
    place: Store, make_record: Callable[..., JobRecord]
) -> None:
    found = Library(place.folder.parent).open_run(place.name)
    found.writer = 1
    assert views.build_progress(found, NOON.replace(minute=2)).text.endswith(" blocks, 120 s since its start.")
    log = place.log_path(make_record(block=13).spec)
    log.write_text("\n".join(map(str, range(100))))
    told = views.build_progress(found, NOON)
    assert (told.state, told.job) == ("running", log.name.removesuffix(".stderr.log"))
    assert told.log[-1] == "99"
    assert len(told.log) < 20


def test_jobs_are_listed_with_their_time_or_their_reason(make_record: Callable[..., JobRecord]) -> None:
    records = [make_record(), make_record(block=2, outcome="killed"), make_record(block=3, outcome="unsupported")]
    unsupported, killed, measured = views.list_jobs(derive_processes(records)).rows
    assert (measured.outcome, measured.text, measured.is_bad) == ("measured", "1.00 µs", False)
    assert (killed.text, killed.is_bad) == ("because it was killed", True)
    assert (unsupported.text, unsupported.is_bad) == ("because it was unsupported", False)


def test_the_newest_jobs_are_listed_and_the_others_are_on_further_pages(
    make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_JOBS", 2)
    processes = derive_processes(make_record(block=block) for block in range(1, 6))
    pages = [views.list_jobs(processes, newer) for newer in (0, 2, 4, 6, 10**9)]
    assert [[row.name[:3] for row in page.rows] for page in pages] == [["005", "004"], ["003", "002"], ["001"], [], []]
    assert [page.caption for page in pages[:3]] == [
        "5 jobs, the newest first: 1 to 2",
        "5 jobs, the newest first: 3 to 4",
        "5 jobs, the newest first: 5 to 5",
    ]
    assert [(page.before, page.last) for page in pages[:3]] == [(0, 2), (0, 4), (2, 5)]


def test_each_mode_leads_to_the_history_of_exactly_its_cell(
    make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]], make_run: Callable[..., Store]
) -> None:
    cells = [(make_cell("torch:eager", task=task), 1000.0) for task in ("forward", "backward")]
    places = [make_run(f"run-{number}", make_records(cells), number * 60) for number in range(2)]
    root = places[0].folder.parent
    tables = [views.build_results(Run.from_store(place)).tables for place in places]
    keys = [[key for table in each for _, key in table.modes] for each in tables]
    assert keys[0] == keys[1]
    assert len({*keys[0]}) == 2
    for table in tables[0]:
        ((_, key),) = table.modes
        (cell,) = (cell for each in trace_history(root, key=key).types for cell in each.cells)
        assert (cell.title, len(cell.points)) == (table.caption, 2)
