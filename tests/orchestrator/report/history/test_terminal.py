"""A history on a terminal of 80 columns."""

import io
import math
from collections.abc import Callable
from dataclasses import replace

from rich.console import Console

from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.comparison.history import CellHistory, History
from orchestrator.report.history.terminal import show_history

WIDTH = 80


def read_screen(history: History, *, details: bool = False) -> list[str]:
    screen = Console(file=io.StringIO(), width=WIDTH)
    show_history(screen, history, details=details)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines()


def test_a_summary_has_a_row_for_each_cell_with_its_trend_and_its_latest_step(stepped: History) -> None:
    lines = read_screen(stepped)
    (row,) = [line for line in lines if line.startswith("torch:eager ")]
    assert row.split() == ["torch:eager", "12", row.split()[2], "32.5", "µs", "1.080", "on", "2025-01-07"]
    assert set(row.split()[2][:6]) <= {*"▁▂"}
    assert set(row.split()[2][6:]) <= {*"▇█"}
    (other,) = [line for line in lines if line.startswith("jax:jit ")]
    assert other.split()[-1] == "–"


def test_cells_of_one_computation_share_a_table(stepped: History) -> None:
    assert sum(line.startswith("mlp backward") for line in read_screen(stepped)) == 1


def test_a_cell_with_too_few_runs_claims_neither_a_step_nor_the_lack_of_one(
    make_history: Callable[..., History], make_cell_history: Callable[..., CellHistory]
) -> None:
    (row,) = [line for line in read_screen(make_history(make_cell_history(runs=4))) if line.startswith("torch:eager ")]
    assert row.split()[-1] == "µs"


def test_details_have_a_row_for_each_run_and_for_each_step_between_them(stepped: History) -> None:
    lines = read_screen(stepped, details=True)
    runs = [line for line in lines if line.startswith("2025-01")]
    assert len(runs) == 24
    assert runs[0].split() == [
        *("2025-01-01", "20250101-120000-nightly", "30.0", "µs", "29.7", "µs", "to", "30.3", "µs"),
        *("2.12.0", "a1a1a1a1"),
    ]
    (step,) = [number for number, line in enumerate(lines) if line.startswith("→ step: 1.080 (1.070–1.090)")]
    assert lines[step - 1].startswith("2025-01-06")
    assert lines[step + 1].startswith("2025-01-07")


def test_an_interval_that_the_processes_do_not_support_is_empty(
    make_history: Callable[..., History], make_cell_history: Callable[..., CellHistory]
) -> None:
    cell = make_cell_history(runs=1)
    point = replace(cell.points[0], floor_ns=Interval(30_000, -math.inf, math.inf))
    (row,) = [
        line
        for line in read_screen(make_history(replace(cell, points=(point,))), details=True)
        if line.startswith("2025-01")
    ]
    assert " to " not in row


def test_no_line_is_wider_than_the_terminal(stepped: History) -> None:
    for details in (False, True):
        assert max(map(len, read_screen(stepped, details=details))) <= WIDTH


def test_sentences_and_what_is_left_out_stand_below(
    make_history: Callable[..., History], make_cell_history: Callable[..., CellHistory]
) -> None:
    lines = read_screen(make_history(make_cell_history(step=1.08), skipped=("b-run is MIXED",)))
    assert any(line.startswith("• torch:eager, mlp backward") for line in lines)
    assert lines[-1] == "Left out: b-run is MIXED."
