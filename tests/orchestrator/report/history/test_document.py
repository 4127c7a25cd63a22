"""A history as a JSON document: complete, and null where the data support nothing."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.comparison.history import CellHistory, History
from orchestrator.report.history.document import build_history_document


def build(history: History, since: datetime | None = None) -> dict[str, Any]:
    """Return the document as a reader of its JSON gets it; values that JSON does not know are refused."""
    found: dict[str, Any] = json.loads(json.dumps(build_history_document(history, since), allow_nan=False))
    return found


def test_a_document_has_the_machine_its_runs_and_its_cells(stepped: History) -> None:
    document = build(stepped)
    (machine,) = document["machines"]
    assert machine["machine_type"]["cpu"] == "a CPU"
    assert (len(machine["runs"]), machine["level"], document["alpha"]) == (12, 0.025, 0.05)
    assert [cell["label"] for cell in machine["cells"]] == ["torch:eager", "jax:jit"]
    assert machine["sentences"][-1].startswith(
        "If nothing changed, the chance of a step in any of 2 cells is at most 5 %"
    )


def test_a_step_names_both_runs_both_ratios_and_all_that_changed(
    make_history: Callable[..., History], make_cell_history: Callable[..., CellHistory]
) -> None:
    changed = tuple(f"package{number} 1 is now 2" for number in range(8))
    (cell,) = build(make_history(make_cell_history(step=1.08, changed=changed)))["machines"][0]["cells"]
    (step,) = cell["steps"]
    assert (step["before"], step["after"]) == ("20250106-120000-nightly", "20250107-120000-nightly")
    assert step["observed"] == {"estimate": 1.08, "low": 1.078, "high": 1.082}
    assert step["ratio"]["low"] == 1.07
    assert (step["p"], step["claimed"], step["changed"]) == (0.004, True, [*changed])


def test_a_point_has_its_run_its_floor_its_versions_and_its_commit(stepped: History) -> None:
    point = build(stepped)["machines"][0]["cells"][0]["points"][0]
    assert (point["run"], point["began"]) == ("20250101-120000-nightly", "2025-01-01T12:00:00+00:00")
    assert point["floor_ns"] == {"estimate": 30_000, "low": 29_700, "high": 30_300}
    assert (point["version"], point["commit"], point["code"]) == ("2.12.0", "a1" * 20, None)


def test_what_is_not_known_is_null(
    make_history: Callable[..., History], make_cell_history: Callable[..., CellHistory]
) -> None:
    cell = make_cell_history(runs=1)
    run = replace(cell.points[0].run, commits={})
    bare = replace(cell.points[0], run=run, versions={}, floor_ns=Interval(30_000, -math.inf, math.inf))
    (found,) = build(make_history(replace(cell, points=(bare,))))["machines"][0]["cells"]
    (point,) = found["points"]
    assert (point["commit"], point["version"]) == (None, None)
    assert point["floor_ns"] == {"estimate": 30_000, "low": None, "high": None}
    assert found["steps"] is None


def test_a_cell_that_was_searched_without_a_step_has_an_empty_list(stepped: History) -> None:
    assert build(stepped)["machines"][0]["cells"][1]["steps"] == []


def test_the_limit_in_time_is_said(stepped: History) -> None:
    assert build(stepped)["since"] is None
    assert build(stepped, datetime(2025, 1, 2, tzinfo=UTC))["since"] == "2025-01-02T00:00:00+00:00"
