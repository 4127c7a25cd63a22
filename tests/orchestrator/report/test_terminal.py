"""The results on a terminal: short by default, whole on request, and safe whatever a worker said."""

import dataclasses
import io
import re
import sys
from collections import Counter
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.analysis import groups
from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.run import Run
from orchestrator.cli.app import main
from orchestrator.planning import plan as planning
from orchestrator.records.store import Store
from orchestrator.report import terminal
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from schemas.sweep import SweepSpec
from tests.orchestrator.conftest import a_manifest, a_run

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]

STRUCK_OUT = "\x1b[2;9m"


def shown(
    records: list[JobRecord], cells: list[Cell], *, colour: bool = False, details: bool = False, width: int = 80
) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    terminal.show_results(console, a_run(a_manifest(cells), records), details=details)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def cells(make_cell: MakeCell) -> list[Cell]:
    """Return cells with the longest names."""
    labels = ("tensorflow:function", "torch:script", "torch:eager", "synthetic:wrong", "numpy:eager")
    cells = [make_cell(label, parameters={"input": 1024, "width": 1024, "depth": 3}) for label in labels]
    return [*cells, cells[0].model_copy(update={"replica": 1})]


@pytest.fixture
def records(cells: list[Cell], make_record: MakeRecord, make_records: MakeRecords) -> list[JobRecord]:
    times = zip([cells[0], cells[1], cells[2], cells[5]], (1234.5e6, 345.6e6, 999.4e6, 1234.5e6), strict=True)
    records = make_records(list(times), blocks=32)
    return [
        *records,
        make_record(cells[3], outcome="wrong", call_ns=4321),
        make_record(cells[4], outcome="out-of-memory"),
    ]


def test_a_table_of_the_longest_names_and_numbers_is_whole_in_80_columns(
    records: list[JobRecord], cells: list[Cell]
) -> None:
    text = shown(records, cells)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    for word in ("(A/A)", "out-of-", "memory"):
        assert word in text
    for cell in cells:
        assert f"\n{cell.framework}:{cell.mode} " in text


@pytest.mark.parametrize("width", [55, 60, 70])
def test_a_narrow_terminal_keeps_verdicts_and_intervals(
    records: list[JobRecord], cells: list[Cell], width: int
) -> None:
    text = shown(records, cells, width=width)
    table = [line for line in text.splitlines() if line.startswith(("torch:", "tensorflow:"))]
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" not in text
    assert any("SLOWER" in line or "FASTER" in line for line in table)
    assert re.search(r"\(\d\.\d+–\d\.\d+\)", text)


def collect_headings(records: list[JobRecord], cells: list[Cell], width: int) -> set[str]:
    text = shown(records, cells, width=width)
    (line,) = (line for line in text.splitlines() if line.startswith("mode "))
    return set(line.split())


def test_a_narrow_terminal_goes_without_the_least_important_columns_first(
    records: list[JobRecord], cells: list[Cell]
) -> None:
    assert {"rank", "result", "n", "verdict"} <= collect_headings(records, cells, 80)
    lost = [{"rank", "result", "n", "verdict"} - collect_headings(records, cells, width) for width in range(80, 54, -1)]
    assert [each for place, each in enumerate(lost) if each not in lost[:place]] == [
        set(),
        {"n"},
        {"n", "result"},
        {"n", "result", "rank"},
    ]


def test_a_wide_terminal_shows_more_columns_and_whole_names(records: list[JobRecord], cells: list[Cell]) -> None:
    text = shown(records, cells, width=160)
    assert {"peak", "flags", "n"} <= collect_headings(records, cells, 160)
    assert "tensorflow:function (A/A) " in text
    assert re.search(r"1\.23 s – 1\.2\d s", text)
    assert "flags" not in shown(records, cells, width=99)


def test_an_alarm_stands_above_everything_else(known_run: Run) -> None:
    group = known_run.groups[0]
    assert group.clone is not None
    lying = a_run(known_run.manifest, known_run.records)
    false = dataclasses.replace(group, clone=dataclasses.replace(group.clone, verdict=Verdict.FASTER))
    lying.__dict__["groups"] = (false,)
    for details in (False, True):
        console = Console(file=io.StringIO(), width=200)
        terminal.show_results(console, lying, details=details)
        assert isinstance(console.file, io.StringIO)
        text = console.file.getvalue()
        assert text.strip().startswith("A/A check FAILED: ")
        assert text.count("A/A check") == 1


def test_several_computations_begin_with_their_overview_then_the_answer_then_the_tables(known_run: Run) -> None:
    text = shown([*known_run.records], [*known_run.manifest.cells])
    places = [
        text.index(words)
        for words in ("Time per call by computation", "torch:trace is the fastest", "ratio to baseline")
    ]
    assert places == sorted(places)
    assert places[0] < 10


@pytest.mark.parametrize("groups", [1, 2])
def test_no_sentence_is_shown_twice(known_run: Run, groups: int) -> None:
    cells = [cell for cell in known_run.manifest.cells if groups == 2 or cell.task == "forward"]
    records = [record for record in known_run.records if record.spec.cell in cells]
    lines = shown(records, cells, details=True, width=2000).splitlines()
    # Two spaces in a row are between the columns of a table.
    told = [line.strip("• ") for line in lines if "  " not in line]
    said = [sentence.rstrip(".") for line in told for sentence in line.split(". ") if len(sentence.split()) > 5]
    assert len(said) > 10
    assert sorted(each for each in {*said} if said.count(each) > 1) == []


def test_every_cell_has_exactly_one_row(records: list[JobRecord], cells: list[Cell]) -> None:
    (group,) = groups.group_results(records, cells)
    labels = [" ".join(str(next(iter(row))).split()) for row in terminal.format_group_rows(group)]
    assert sorted(labels) == sorted(cell.label for cell in cells)


def test_a_clone_whose_original_failed_has_its_row_too(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cell = make_cell()
    twin = cell.model_copy(update={"replica": 1})
    (group,) = groups.group_results([make_record(cell, outcome="raised"), make_record(twin)], [cell, twin])
    assert len(list(terminal.format_group_rows(group))) == 2


def test_a_cell_whose_baseline_is_not_measured_yet_is_not_called_the_baseline(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    late, early = make_cell("torch:eager"), make_cell("torch:script")
    (group,) = groups.group_results(make_records([(early, 1000)]), [late, early], "torch:eager")
    measured, waiting = ([str(cell) for cell in row] for row in terminal.format_group_rows(group))
    assert (measured[0], measured[2], measured[-1]) == ("torch:script", "", "")
    assert waiting == ["torch:eager", "", "", "", "", "0", ""]


def test_the_time_of_a_wrong_cell_is_struck_out(records: list[JobRecord], cells: list[Cell]) -> None:
    lines = shown(records, cells, colour=True).splitlines()
    (wrong,) = (line for line in lines if line.startswith("synthetic:wrong "))
    assert re.search(re.escape(STRUCK_OUT) + r"\s*4\.32 µs", wrong)
    assert sum(STRUCK_OUT in line for line in lines) == 1


def test_what_has_no_time_is_not_shown_as_zero(records: list[JobRecord], cells: list[Cell]) -> None:
    (row,) = (line for line in shown(records, cells).splitlines() if line.startswith("numpy:eager "))
    assert "n/a" in row
    assert " 0 " not in row


def test_ranked_cells_come_by_their_place_and_the_others_last(records: list[JobRecord], cells: list[Cell]) -> None:
    text = shown(records, cells)
    ranked = ("torch:script", "torch:eager", "tensorflow:function", "synthetic:wrong", "numpy:eager")
    places = [text.index(f"\n{label} ") for label in ranked]
    assert places == sorted(places)


def test_the_overview_stands_for_the_tables_of_very_many_computations(
    make_cell: MakeCell, make_records: MakeRecords, make_run: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = ("numpy:eager", "torch:eager")
    cells = [make_cell(label, parameters={"depth": depth}) for depth in (1, 2) for label in modes]
    records = make_records([(cell, 1000) for cell in cells])
    place = make_run("many", records)
    run, tables = Run.from_store(place), "ratio to baseline"
    assert shown(records, cells).count(tables) == 2
    assert not any("--only" in line for line in terminal.list_places(run, place, [], details=False))
    monkeypatch.setattr(terminal, "MAX_TABLES", 1)
    assert shown(records, cells).count(tables) == 0
    assert "Time per call by computation" in shown(records, cells)
    assert shown(records, cells, details=True).count(tables) == 2
    assert any(f"show {place.folder} --only" in line for line in terminal.list_places(run, place, [], details=False))


@pytest.fixture
def ended(make_run: Callable[..., Store], make_cell: MakeCell, make_records: MakeRecords) -> tuple[Run, Store]:
    """Return a finished run of one cell, without a page."""
    place = make_run("mine", make_records([(make_cell(), 1000)]), stopped="all 3 blocks were run")
    return Run.from_store(place), place


def test_the_end_names_its_reason_the_files_and_the_command_for_the_rest(ended: tuple[Run, Store]) -> None:
    run, place = ended
    lines = list(terminal.list_places(run, place, [], details=False))
    assert lines == [
        "Ended: all 3 blocks were run.",
        f"All details: python -m orchestrator show {place.folder} --details",
        f"Records and logs of all jobs: {place.jobs_folder}",
    ]
    place.page_path.touch()
    full = list(terminal.list_places(run, place, [], details=True))
    assert full == [lines[0], lines[2], f"Report for a browser: {place.page_path}"]


def test_the_command_for_the_rest_is_accepted_and_shows_it(
    ended: tuple[Run, Store], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = list(terminal.list_places(*ended, [], details=False))[1].partition("python -m ")[2]
    monkeypatch.setattr(sys, "argv", command.split())
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert "fingerprint" in capsys.readouterr().out


@pytest.fixture
def default_cells() -> list[Cell]:
    """Return the cells of the sweep without arguments."""
    return [*planning.build_plan(SweepSpec(), (0, 1)).cells]


@pytest.fixture
def worst_records(default_cells: list[Cell], make_records: MakeRecords) -> list[JobRecord]:
    """Return jobs of these cells with as much to say as possible: small differences, disturbances, no steady state.

    Each mode is a little slower than the one before, which takes the longest verdict. In the first mode few
    processes are disturbed, in the last most are.
    """
    times = [(cell, 10**6 * 1.004**place) for place, cell in enumerate(default_cells[:-1])]
    records = make_records([*times, (default_cells[-1], 10**6)], noise=0.0002)

    def disturb(record: JobRecord) -> JobRecord:
        assert record.report is not None
        report = record.report
        place, block = default_cells.index(record.spec.cell), record.spec.block
        if (place == 0 and block % 3 == 0) or place == len(default_cells) - 2:
            delay = tuple(took // 50 for took in report.samples_ns)
            report = report.model_copy(
                update={"noise": report.noise.model_copy(update={"run_delay_ns": delay, "cpu_ns": (0,) * len(delay)})}
            )
        return record.model_copy(update={"result": report})

    return [disturb(record) for record in records]


def test_the_default_sweep_ends_in_thirty_lines_of_eighty_columns(
    default_cells: list[Cell], worst_records: list[JobRecord], make_run: Callable[..., Store]
) -> None:
    place = make_run("sweep", worst_records)
    place.page_path.touch()
    run = Run.from_store(place)
    assert len(default_cells) == 6
    assert {result.grade for result in run.cells} == {"A", "B", "C"}
    assert Counter(found.verdict for found in run.groups[0].against.values())[Verdict.DIFFERENT_BUT_SMALL] == 3
    text = shown(worst_records, default_cells)
    for words in ("Doubts: ", "not reliably steady", "A/A check", "Compiling", "deprecated", "1.016 (0.8"):
        assert words in " ".join(text.split())
    ending = list(terminal.list_places(run, place, [], details=False))
    assert len(text.splitlines()) + len(ending) <= 30
    named = [line.replace(str(place.folder), f"runs/{place.name}") for line in ending]
    assert all(len(line) <= 80 for line in (*text.splitlines(), *named))


def test_the_answer_in_words_comes_first_then_the_table_then_the_notes(
    records: list[JobRecord], cells: list[Cell]
) -> None:
    text = shown(records, cells)
    places = [
        text.index(words) for words in ("torch:script is the fastest", "verdict", "• Not ranked: ", "• A/A check")
    ]
    assert places == sorted(places)


def test_what_is_rarely_needed_is_shown_on_request_alone(known_run: Run) -> None:
    cells, records = [*known_run.manifest.cells], [*known_run.records]
    brief, full = shown(records, cells), shown(records, cells, details=True)
    rare = ("Calls to break even", "Least total time", "footprint", "fingerprint", "Between frameworks: ")
    assert [words for words in rare if words in brief] == []
    assert [words for words in rare if words in full] == [*rare]
    assert len(brief.splitlines()) < len(full.splitlines()) / 2


def test_a_sweep_that_ranks_by_memory_shows_that_ranking(known_run: Run) -> None:
    sweep = known_run.manifest.sweep.model_copy(update={"rank_by": "footprint"})
    run = a_run(known_run.manifest.model_copy(update={"sweep": sweep}), known_run.records)
    console = Console(file=io.StringIO(), width=80)
    terminal.show_results(console, run)
    assert isinstance(console.file, io.StringIO)
    assert "ranked by footprint" in console.file.getvalue()


def test_a_message_from_a_worker_is_shown_as_it_is(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cell = make_cell("synthetic:raise")
    text = shown([make_record(cell, outcome="raised", reason="KeyError: '[bold]x[/bold]' [/]")], [cell])
    assert "[bold]x[/bold]" in text.replace("\n", " ")


def test_a_message_from_a_worker_cannot_command_the_terminal(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cell = make_cell("synthetic:raise")
    assert "\x1b" not in shown([make_record(cell, outcome="raised", reason="\x1b]0;owned\x07\x1b[31mred")], [cell])


def test_a_table_of_results_that_a_framework_was_the_judge_of_says_so_on_top(
    make_cell: MakeCell, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    record = make_record(result=make_report(verification={"checks": (), "referee": "torch"}))
    assert ", checked against torch in float64" in " ".join(shown([record], [make_cell()]).split())
