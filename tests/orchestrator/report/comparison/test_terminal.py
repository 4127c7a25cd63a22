import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.comparison import gates
from orchestrator.comparison.compare import Compared, compare_sides
from orchestrator.records import store
from orchestrator.records.store import Store
from orchestrator.report.comparison.markdown import format_comparison
from orchestrator.report.comparison.terminal import build_comparison_document, show_comparison
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.analysis.costs.test_memory import needing
from tests.orchestrator.conftest import HOST

MakeCell = Callable[..., Cell]
MakeRun = Callable[..., Store]
MakeRecords = Callable[..., list[JobRecord]]

MODES = ("torch:eager", "torch:script-optimized", "tensorflow:function", "jax:jit", "numpy:eager")


@pytest.fixture
def make_compared(
    tmp_path: Path, make_cell: MakeCell, make_records: MakeRecords, make_run: MakeRun
) -> Callable[..., Compared]:
    """Return a maker of comparisons in whose second run the first mode is slower by ten per cent."""

    def make(modes: Sequence[str] = MODES, slower: float = 1.1, **changes: object) -> Compared:
        cells = [make_cell(mode) for mode in modes]
        make_run("a", make_records([(cell, 30_000.0) for cell in cells]))
        times = [30_000.0 * slower, *[30_000.0] * (len(cells) - 1)]
        make_run("b", make_records(list(zip(cells, times, strict=True)), seed=2), 600, **changes)
        return compare_sides(tmp_path / "runs", "-a", "-b")

    return make


def judged(compared: Compared, *texts: str) -> list[gates.GateResult]:
    return [gates.apply_gate(gates.parse_gate(text), compared.changes) for text in texts]


def drawn(compared: Compared, *texts: str) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    show_comparison(console, compared, judged(compared, *texts))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_comparison_is_told_on_eighty_columns(make_compared: Callable[..., Compared]) -> None:
    text = drawn(make_compared(), "slower=3%", "slower=50%")
    said = " ".join(text.split())
    for words in (
        "A is 20250101-120000-a, started 2025-01-01T12:00:00+00:00: a CPU, 2 cores, Linux, type ",
        "Warning: not measured side by side: B was started 10 minutes after A.",
        "these runs: ",
        "33.0 µs",
        "SLOWER",
        "torch:eager, mlp backward (depth=3), batch 1, float32, 1 thread, cpu: B takes 1.09",
        "times as long as A (1.0",
        "): slower.",
        "4 of 5 cells: as fast in B as in A.",
        "GATE slower=3%: torch:eager, mlp backward (depth=3), batch 1, float32, 1 thread, cpu exceeds it:",
        "exceeds it: B is at least 1.0",
        "Gate slower=50% passed: no cell certainly exceeds it, 5 of 5 are certainly within it.",
    ):
        assert words in said
    assert max(map(len, text.splitlines())) <= 80


def test_what_is_only_observed_is_called_so(make_compared: Callable[..., Compared]) -> None:
    compared = make_compared(host=HOST.model_copy(update={"cpu": "another CPU"}))
    said = " ".join(drawn(compared, "slower=3%").split())
    assert "Warning: measured on different machines." in said
    assert "Not the same machine: cpu a CPU is now another CPU." in said
    assert said.count("observed") == 6
    assert "SLOWER" not in said
    assert "GATE" not in said
    assert "Gate slower=3% is inconclusive: 5 cells, none certainly on either side." in said


def test_cells_that_were_too_disturbed_are_counted(make_compared: Callable[..., Compared], tmp_path: Path) -> None:
    make_compared()
    run = store.find_run(tmp_path / "runs", "-b")
    for record in run.read_records():
        assert record.report is not None
        noise = record.report.noise.model_copy(update={"run_delay_ns": (10**6,) * 3, "cpu_ns": (0,) * 3})
        report = record.report.model_copy(update={"noise": noise})
        run.write_record(record.model_copy(update={"result": report}))
    said = " ".join(drawn(compare_sides(tmp_path / "runs", "-a", "-b"), "slower=3%").split())
    assert "5 of 5 cells: graded C in at least one run; intervals have room for disturbances." in said
    assert "GATE" not in said


def test_names_of_others_cannot_command_the_terminal(make_compared: Callable[..., Compared]) -> None:
    text = drawn(make_compared(host=HOST.model_copy(update={"cpu": "\x1b[31mred"})))
    assert "\x1b" not in text


def test_markdown_says_what_the_terminal_says_in_one_table(make_compared: Callable[..., Compared]) -> None:
    compared = make_compared()
    text = format_comparison(compared, judged(compared, "slower=3%", "memory=5%"))
    assert text.startswith("### Plumbline: B exceeds slower=3%\n\n> A is 20250101")
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(table) == 2 + 5
    assert {line.count(" | ") for line in table} == {6}
    assert "| SLOWER |" in table[2]
    assert "- Gate memory=5% is inconclusive: 5 cells, none certainly on either side. Measure more blocks" in text


@pytest.mark.parametrize(
    ("texts", "heading"), [([], "### Plumbline: B compared"), (["slower=20%"], "### Plumbline: B within its gates")]
)
def test_the_heading_says_what_the_gates_came_to(
    make_compared: Callable[..., Compared], texts: list[str], heading: str
) -> None:
    compared = make_compared()
    assert format_comparison(compared, judged(compared, *texts)).splitlines()[0] == heading


def test_the_document_is_strict_json_with_what_was_claimed_and_what_was_observed(
    make_compared: Callable[..., Compared],
) -> None:
    compared = make_compared()
    text = json.dumps(
        build_comparison_document(compared, judged(compared, "slower=3%", "step_peak=1%")), allow_nan=False
    )
    said = json.loads(text)
    first = said["changes"][0]
    assert (first["verdict"], said["ground"], said["apart_s"]) == ("SLOWER", "one after the other", 600)
    assert first["time"]["claimed"]["low"] < first["time"]["observed"]["low"] < 1.1
    assert [gate["beyond"] for gate in said["gates"]] == [[compared.changes[0].cell.id], []]
    assert len(said["gates"][1]["open"]) == 5


def test_where_nothing_is_claimed_the_document_has_nulls(make_compared: Callable[..., Compared]) -> None:
    elsewhere = HOST.model_copy(update={"cpu": "another CPU"})
    said = build_comparison_document(make_compared(["numpy:eager"], host=elsewhere), [])
    (change,) = json.loads(json.dumps(said, allow_nan=False))["changes"]
    assert change["verdict"] is None
    assert change["time"]["claimed"] == {"estimate": None, "low": None, "high": None}
    assert change["time"]["observed"]["estimate"] == pytest.approx(1.1, abs=0.01)
    assert said["together"] is None


def test_memory_that_grew_for_certain_is_told(
    tmp_path: Path,
    make_cell: MakeCell,
    make_records: MakeRecords,
    make_run: MakeRun,
    make_report: Callable[..., Report],
) -> None:
    cells = [make_cell(batch=batch) for batch in (1, 2, 3, 4)]
    for name, at_s in (("a", 0), ("b", 600)):
        records = []
        for record in make_records([(cell, 1000.0) for cell in cells]):
            grown = name == "b" and record.spec.cell == cells[0]
            records.append(record.model_copy(update={"result": make_report(**needing(225 if grown else 220))}))
        make_run(name, records, at_s)
    compared = compare_sides(tmp_path / "runs", "-a", "-b")
    told = [
        line for line in drawn(compared, "step_peak=5%").replace("\n", " ").split("• ") if "step peak of B is" in line
    ]
    assert len(told) == 1
    assert "1.100 times that of A (1.100 to 1.100): 55.0 MiB after 50.0 MiB" in told[0]
    assert "GATE step_peak=5%" in drawn(compared, "step_peak=5%")
