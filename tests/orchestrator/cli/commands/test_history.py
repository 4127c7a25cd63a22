"""The command `history`, on runs that lie on disk: its forms, its choices, and its mistakes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.records.store import Store
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.conftest import Said

DAY_S = 86_400


@pytest.fixture
def nights(
    make_run: Callable[..., Store], make_records: Callable[..., list[JobRecord]], make_cell: Callable[..., Cell]
) -> None:
    """Make sixteen nightly runs of three cells, of which one takes 1.2 times as long from the ninth on."""
    cells = [make_cell(label) for label in ("numpy:eager", "torch:eager", "torch:script")]
    for night in range(16):
        times = (20_000, 30_000, 40_000 * (1.2 if night >= 8 else 1))
        records = make_records([*zip(cells, times, strict=True)], blocks=3, seed=night)
        make_run(f"night-{night}", records, night * DAY_S)


@pytest.mark.usefixtures("nights")
def test_without_options_each_cell_has_a_line_and_each_step_a_sentence(inside: Callable[..., Said]) -> None:
    said = inside("history")
    assert (said.code, said.err) == (ExitCode.FINE, "")
    assert "16 runs, 2025-01-01 to 2025-01-16" in said.out
    (row,) = [line for line in said.out.splitlines() if line.startswith("torch:script ")]
    assert row.endswith("on 2025-01-09")
    assert "• torch:script, mlp backward (depth=3)" in said.out
    assert "2 of 3 searched cells: no step." in said.out


@pytest.mark.usefixtures("nights")
def test_a_chosen_cell_has_a_line_for_each_run(inside: Callable[..., Said]) -> None:
    said = inside("history", "--cell", "script")
    assert sum(line.startswith("2025-01-") for line in said.out.splitlines()) == 16
    assert "→ step: 1.2" in said.out
    assert "torch:eager" not in said.out


@pytest.mark.usefixtures("nights")
def test_a_document_has_the_steps_and_the_path_of_the_page(inside: Callable[..., Said], tmp_path: Path) -> None:
    document = json.loads(inside("history", "--json", "--page", "history.html").out)
    (machine,) = document["machines"]
    steps = {cell["label"]: [step["after"] for step in cell["steps"] if step["claimed"]] for cell in machine["cells"]}
    assert steps == {"numpy:eager": [], "torch:eager": [], "torch:script": ["20250109-120000-night-8"]}
    assert document["page"] == "history.html"
    assert (tmp_path / "history.html").read_text().startswith("<!doctype html>")


@pytest.mark.usefixtures("nights")
def test_runs_before_a_date_do_not_count(inside: Callable[..., Said]) -> None:
    document = json.loads(inside("history", "--json", "--since", "2025-01-10").out)
    assert len(document["machines"][0]["runs"]) in (7, 6)  # midnight is this machine's
    assert document["since"].startswith("2025-01-")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--cell", "keras"), "error: no cell matches 'keras'; for example: numpy:eager, mlp backward"),
        (("--since", "lately"), "error: --since 'lately' is no date; give one such as 2026-01-31, a number of days"),
        (("--since", "2031-01-01T00:00+00:00"), "error: none of 16 runs began on 2031-01-01 or later; give an earlier"),
        (("--runs", "nowhere"), "error: there are no runs in nowhere; start one with: python -m orchestrator sweep"),
        (("--page", "missing/history.html"), "error: cannot write missing/history.html: No such file or directory;"),
    ],
)
@pytest.mark.usefixtures("nights")
def test_a_mistake_is_answered_with_one_sentence(
    inside: Callable[..., Said], options: tuple[str, ...], sentence: str
) -> None:
    said = inside("history", *options)
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    assert said.err.startswith(sentence)
    assert said.err.count("\n") == 1


@pytest.mark.usefixtures("nights")
def test_a_damaged_run_is_named_and_costs_nothing_else(inside: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "runs" / "20250101-120000-night-0" / "manifest.json").write_text("{")
    said = inside("history")
    assert said.code == ExitCode.FINE
    assert "15 runs" in said.out
    assert "Left out: 20250101-120000-night-0:" in said.out
