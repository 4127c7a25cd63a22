"""The comparison along an axis as a reader gets it: sentences, tables, a document, Markdown and a page."""

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.export import markdown
from orchestrator.records.store import Store
from orchestrator.report import axis, terminal
from orchestrator.report.json_document import build_run_document
from orchestrator.report.page.page import render_page
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.conftest import Said, a_manifest, a_run

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]
Inside = Callable[..., Said]
LONGEST = ("tensorflow:function", "torch:eager")


def by(name: str, cells: list[Cell], records: list[JobRecord], **sweep: object) -> Run:
    return a_run(a_manifest(cells, sweep={"compare_by": name, **sweep}), records)


def shown(run: Run, *, details: bool = False, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    terminal.show_results(console, run, details=details)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def joined(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def threaded(make_cell: MakeCell, make_records: MakeRecords) -> Run:
    cells = [make_cell("torch:eager", threads=threads) for threads in (1, 2)]
    return by("threads", cells, make_records([(cells[0], 10_000), (cells[1], 6250)]))


def test_threads_have_their_speed_up_and_efficiency(threaded: Run) -> None:
    said = joined(shown(threaded))
    assert "torch:eager: a call with 2 threads takes 0.62" in said
    assert "as long as one with 1 thread" in said
    assert "; the speed-up is 1.60, the efficiency 80%." in said
    assert "1.60, 80%" in said
    assert "No claim is possible yet" not in said
    assert "FASTER" in said


def test_an_undecided_pair_is_said_to_have_no_speed_up(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("torch:eager", threads=threads) for threads in (1, 2)]
    said = joined(shown(by("threads", cells, make_records([(cells[0], 1000), (cells[1], 500)], blocks=2))))
    assert "cannot be told apart from one with 1 thread by this run" in said
    assert "the speed-up is" not in said
    assert "1 ratio needs 6 blocks, 4 more than there are: python -m orchestrator resume a-run --blocks +4." in said
    assert "UNRESOLVED" in said


def test_threads_beyond_the_cores_are_warned_of(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("torch:eager", threads=threads) for threads in (1, 4)]
    run = by("threads", cells, make_records([(cells[0], 1000), (cells[1], 1500)]))
    assert "4 threads on 2 cores" in joined(shown(run))


def test_a_batch_is_compared_by_its_examples_and_the_sentence_has_both(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell("torch:eager", batch=batch) for batch in (1, 32)]
    said = joined(shown(by("batch", cells, make_records([(cells[0], 10_000), (cells[1], 40_000)]))))
    assert "torch:eager: an example of batch 32 takes 0.12" in said
    assert "as long as one of batch 1" in said
    assert re.search(r"\): faster; the whole call takes (3\.99|4\.00)\d times as long\.", said)
    assert "SLOWER" not in said
    assert "the time per call divided by the batch" in said
    assert "1.25 µs" in said


def test_a_longer_call_is_called_slower_only_per_call(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("torch:eager", parameters={"length": length}) for length in (8, 32)]
    said = shown(by("length", cells, make_records([(cells[0], 10_000), (cells[1], 40_000)])))
    assert "with another length, a call does other work" in joined(said)
    lines = said.splitlines()
    rule = next(place for place, line in enumerate(lines) if line.startswith("───"))
    assert lines[rule - 1].rstrip().endswith("per call")
    assert "SLOWER" in said


def checked(make_report: Callable[..., Report], call_ns: int, error: float, tolerance: float) -> Report:
    check = {"tensor": "y", "inputs": "all", "error": error, "worst": error, "tolerance": tolerance, "passed": True}
    return make_report(call_ns, verification={"checks": (check,)})


@pytest.fixture
def typed(make_cell: MakeCell, make_record: MakeRecord, make_report: Callable[..., Report]) -> Run:
    cells = [make_cell("torch:eager", dtype=dtype) for dtype in ("float32", "bfloat16")]
    cells.append(make_cell("numpy:eager", dtype="float32"))
    cells.append(make_cell("numpy:eager", dtype="bfloat16"))
    facts = {cells[0].id: (10_000, 1.2e-7, 2e-6), cells[1].id: (5_000, 4.1e-3, 2e-2), cells[2].id: (9_000, 1e-7, 2e-6)}
    records = [
        make_record(cell, block, result=checked(make_report, call_ns + block, error, tolerance))
        for block in range(1, 13)
        for cell in cells[:3]
        for call_ns, error, tolerance in [facts[cell.id]]
    ]
    return by("dtype", cells, [*records, make_record(cells[3], outcome="unsupported", outside=None)])


def test_each_dtype_has_its_verification(typed: Run) -> None:
    said = joined(shown(typed))
    assert "float32 errs by 1.2e-07 at most (tolerance 2.0e-06)" in said
    assert "bfloat16 errs by 4.1e-03 at most (tolerance 2.0e-02)" in said
    assert "do not weigh accuracy against time" in said


def test_a_value_that_cannot_run_shows_its_outcome_and_no_time(typed: Run) -> None:
    (row,) = (line for line in shown(typed).splitlines() if line.rstrip().endswith("unsupported"))
    assert row.split() == ["bfloat16", "n/a", "unsupported"]


def test_the_answer_and_the_tables_of_an_axis_replace_those_of_the_groups(threaded: Run) -> None:
    brief, full = shown(threaded), shown(threaded, details=True)
    assert "rank" not in brief
    assert "rank" in full
    assert full.index("speed-up") < full.index("rank")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("threads", (1, 4096)),
        ("dtype", ("float32", "bfloat16")),
        ("batch", (1, 1_000_000)),
        ("environment", ("tensorflow@2.20", "tensorflow@2.21.0.dev20250101")),
        ("origin", ("source", "file")),
    ],
)
def test_a_table_of_the_longest_names_fits_80_columns_and_loses_nothing(
    make_cell: MakeCell, make_records: MakeRecords, name: str, values: tuple[object, ...]
) -> None:
    cells = [make_cell(label, **{name: value}) for label in LONGEST for value in values]
    times = [1234.5e6, 1534.5e6, 999.4e6, 999.8e6]
    text = shown(by(name, cells, make_records(list(zip(cells, times, strict=True)), noise=0.002)))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert all(label in text for label in LONGEST)
    assert "baseline" in text


def test_a_narrow_terminal_keeps_the_ratio_and_the_verdict(threaded: Run) -> None:
    text = shown(threaded, width=66)
    assert "efficiency" in shown(threaded, width=80)
    assert "speed-up," not in text
    assert max(map(len, text.splitlines())) <= 66
    assert re.search(r"2 +6\.2\d µs 0\.62\d \(0\.62\d–0\.62\d\) FASTER", text)


def test_many_pairs_are_counted_by_their_verdicts(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("torch:eager", threads=threads, batch=batch) for batch in range(1, 7) for threads in (1, 2)]
    run = by("threads", cells, make_records([(cell, 1000 / cell.threads) for cell in cells]))
    assert axis.summarise_axis(run.axis_tables) == [
        "A call with 2 threads against one with 1 thread: FASTER in 6 of 6 comparisons."
    ]


def test_with_several_computations_each_sentence_names_its_own(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("torch:eager", threads=threads, batch=batch) for batch in (1, 2) for threads in (1, 2)]
    run = by("threads", cells, make_records([(cell, 1000 / cell.threads) for cell in cells]))
    one, two = axis.summarise_axis(run.axis_tables)
    assert one.startswith("mlp backward (depth=3), batch 1, float32, cpu: torch:eager: a call with 2 threads takes")
    assert two.startswith("mlp backward (depth=3), batch 2,")


def test_a_run_without_a_pair_says_so(make_cell: MakeCell) -> None:
    cells = [make_cell("torch:eager", threads=threads) for threads in (1, 2)]
    assert "No mode was measured at two values of threads." in shown(by("threads", cells, []))


def test_a_document_has_every_row_with_its_ratio(threaded: Run, typed: Run) -> None:
    said = json.loads(json.dumps(build_run_document(threaded)))["compared_by"]
    assert (said["axis"], said["unit"]) == ("threads", "call")
    ((one, two),) = (table["rows"] for table in said["tables"])
    assert (one["value"], one["ratio"], one["verdict"], one["speed_up"]) == (1, None, None, 1.0)
    assert (two["value"], two["baseline"], two["verdict"], two["blocks"]) == (2, 1, "FASTER", 12)
    assert two["ratio"]["low"] < 0.625 < two["ratio"]["high"]
    assert two["undisturbed"] == two["ratio"]
    assert two["efficiency"] == pytest.approx(0.8, rel=0.01)
    assert said["sentences"] == axis.summarise_axis(threaded.axis_tables)
    rows = build_run_document(typed)["compared_by"]["tables"][0]["rows"]
    assert [(row["largest_error"], row["tolerance"]) for row in rows[:2]] == [(1.2e-7, 2e-6), (4.1e-3, 2e-2)]
    assert [(row["outcome"], row["floor_ns"], row["example_ns"]) for row in rows[3:]] == [("unsupported", None, None)]


def test_a_document_of_a_run_without_an_axis_has_none(make_cell: MakeCell, make_records: MakeRecords) -> None:
    run = a_run(a_manifest([make_cell()]), make_records([(make_cell(), 1000)]))
    assert build_run_document(run)["compared_by"] is None
    assert run.axis_tables == ()


def test_markdown_has_the_table_along_the_axis_first(threaded: Run) -> None:
    said = markdown.export_document(threaded).decode()
    assert said.startswith("### mlp backward (depth=3), batch 1, float32, cpu, by threads\n")
    assert "| torch:eager | 2 | 6.2" in said
    assert said.index("by threads") < said.index("1 thread, cpu")


def test_a_page_has_a_section_with_the_table_and_the_sentences(threaded: Run, known_run: Run) -> None:
    page = render_page(threaded)
    assert '<section id="along"' in page
    assert "Each mode by threads" in page
    assert "the speed-up is 1.60" in page
    assert page.index('id="answer"') < page.index('id="along"') < page.index('id="group-1"')
    assert '<section id="along"' not in render_page(known_run)


def test_a_mixed_run_is_marked_in_its_tables(threaded: Run) -> None:
    mixed = threaded.manifest.model_copy(update={"mixed": ("the kernel changed",)})
    assert [table.title[:6] for table in a_run(mixed, threaded.records).axis_tables] == ["MIXED:"]


def test_hostile_names_are_text_and_nothing_else(make_cell: MakeCell, make_records: MakeRecords) -> None:
    hostile = "[red]\x1b[31m<script>"
    along_one = [make_cell("torch:eager", environment=f"{hostile}{end}") for end in "ab"]
    along_other = [make_cell("torch:eager", parameters={hostile: value}) for value in (1, 2)]
    for name, cells in (("environment", along_one), (hostile, along_other)):
        run = by(name, cells, make_records([(cell, 1000 * place) for place, cell in enumerate(cells, 1)]))
        for text in (shown(run), render_page(run), markdown.export_document(run).decode()):
            assert "\x1b" not in text
        assert "[red]" in shown(run)
        assert "<script>a" not in render_page(run)


# Runs on disk, which know nothing of an axis.


@pytest.fixture
def old(make_run: Callable[..., Store], make_cell: MakeCell, make_records: MakeRecords) -> Store:
    cells = [make_cell("torch:eager", threads=threads) for threads in (1, 2)]
    return make_run("old", make_records([(cells[0], 10_000), (cells[1], 6250)]))


def test_show_compares_an_old_run_along_an_axis_that_it_has(old: Store, inside: Inside) -> None:
    said = inside("show", "latest", "--compare-by", "threads")
    assert said.code == ExitCode.FINE, said.err
    assert "a call with 2 threads takes 0.62" in joined(said.out)
    document: dict[str, Any] = json.loads(inside("show", "latest", "--compare-by", "threads", "--json").out)
    assert document["compared_by"]["axis"] == "threads"
    assert document["manifest"]["sweep"]["compare_by"] == ""
    assert "speed-up" not in inside("show", "latest").out


def test_a_report_of_an_old_run_may_have_the_section_too(old: Store, inside: Inside) -> None:
    assert inside("report", "latest", "--compare-by", "threads").code == ExitCode.FINE
    assert '<section id="along"' in old.page_path.read_text()
    assert inside("report", "latest").code == ExitCode.FINE
    assert '<section id="along"' not in old.page_path.read_text()


@pytest.mark.parametrize("command", ["show", "report"])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("length", "unknown axis 'length' to compare by; valid: threads, "),
        ("batch", "nothing to compare by batch: no mode has two values of it; compare by threads"),
    ],
)
def test_an_axis_that_a_run_lacks_is_refused_in_one_sentence(
    old: Store, inside: Inside, command: str, name: str, sentence: str
) -> None:
    said = inside(command, "latest", "--compare-by", name)
    assert (said.code, said.out, len(said.err.splitlines())) == (ExitCode.USAGE, "", 1)
    assert said.err.startswith(f"error: {sentence}")
    assert not old.page_path.exists()


def test_one_job_is_compared_along_no_axis(old: Store, inside: Inside) -> None:
    said = inside("show", "latest", "001", "--compare-by", "threads")
    assert (said.code, "leave it out to see one job" in said.err) == (ExitCode.USAGE, True)
