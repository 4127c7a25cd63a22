"""The parts of a search for steps: which cells show the effects of runs, and what is subtracted."""

import math
from dataclasses import replace

import numpy as np
import pytest

from orchestrator.comparison.steps import MAX_OTHERS, Panel, collect_shifts, describe_changes, search_panel
from tests.orchestrator.comparison.test_steps_coverage import a_panel

RUNS = 20


def a_level_panel(cells: int = 5, **steps: tuple[int, float]) -> Panel:
    """Return cells with run effects of 1 %, and these steps by the name of the cell: the run and the log ratio."""
    rng = np.random.default_rng(1)
    logs = rng.normal(0, 0.01, RUNS)[:, np.newaxis] + rng.normal(0, 0.002, (RUNS, cells))
    for name, (run, height) in steps.items():
        logs[run:, int(name.removeprefix("cell"))] += height
    return a_panel(logs)


def label(number: int) -> str:
    return f"{('numpy', 'torch')[number % 2]}:mode{number}"


def test_cells_of_other_frameworks_show_what_runs_do() -> None:
    panel = a_level_panel(6)
    assert panel.choose_controls(label(0)) == (label(1), label(3), label(5))


def test_with_too_few_of_them_the_cells_of_the_same_framework_do_too() -> None:
    panel = a_level_panel(3)
    assert panel.choose_controls(label(0)) == (label(1), label(2))


def test_a_single_other_cell_shows_nothing() -> None:
    assert a_level_panel(2).choose_controls(label(0)) == ()
    assert a_level_panel(1).choose_controls(label(0)) == ()


def test_a_cell_that_was_measured_in_half_of_the_runs_shows_nothing() -> None:
    panel = a_level_panel(6)
    rare = {
        key: ({run: points[run] for run in range(10)} if key == label(1) else points)
        for key, points in panel.series.items()
    }
    assert Panel(rare).choose_controls(label(0)) == (label(3), label(5))


def test_of_many_cells_some_are_enough() -> None:
    assert len(a_level_panel(80).choose_controls(label(0))) == MAX_OTHERS


def test_the_common_shift_of_the_runs_is_subtracted() -> None:
    panel = a_level_panel(6)
    raw = [point.log_floor for point in panel.series[label(0)].values()]
    adjusted = panel.subtract_common_shift(label(0), panel.choose_controls(label(0)))
    assert np.std(list(adjusted.values())) < np.std(raw) / 2


def test_without_cells_that_show_it_nothing_is() -> None:
    panel = a_level_panel(1)
    raw = {run: point.log_floor for run, point in panel.series[label(0)].items()}
    assert panel.subtract_common_shift(label(0), ()) == raw


def test_a_run_without_enough_other_cells_is_left_out() -> None:
    panel = a_level_panel(6)
    last = RUNS - 1
    short = {
        key: points if key == label(0) else {run: point for run, point in points.items() if run != last}
        for key, points in panel.series.items()
    }
    adjusted = Panel(short).subtract_common_shift(label(0), panel.choose_controls(label(0)))
    assert list(adjusted) == list(range(last))


def test_a_known_step_is_no_effect_of_runs() -> None:
    panel = a_level_panel(6, cell1=(10, 0.1))
    points = panel.series[label(1)]
    known = Panel(panel.series, {label(1): {10: 0.1}})
    assert known.get_witnessed_log(label(1), 9) == points[9].log_floor
    assert known.get_witnessed_log(label(1), 10) == pytest.approx(points[10].log_floor - 0.1)


def test_two_cells_with_steps_at_different_places_are_both_found() -> None:
    panel = a_level_panel(4, cell0=(7, 0.10), cell1=(13, -0.06))
    found = search_panel(panel.series, panel.series, 0.05 / 4, 0.05)
    claimed = {key: collect_shifts(panel.series[key], steps) for key, steps in found.items()}
    assert [list(claimed[label(number)]) for number in range(4)] == [[7], [13], [], []]
    assert claimed[label(0)][7] == pytest.approx(0.10, abs=0.01)
    assert claimed[label(1)][13] == pytest.approx(-0.06, abs=0.01)


def test_of_chosen_cells_only_they_and_those_that_show_what_runs_do_are_searched() -> None:
    panel = a_level_panel(80, cell0=(10, 0.10))
    found = search_panel(panel.series, [label(0)], 0.05, 0.05)
    assert found.keys() == {label(0), *panel.choose_controls(label(0))}
    assert [step.after.run.name for step in found[label(0)] if step.claimed] == ["run-10"]


def test_an_upgrade_that_moves_all_cells_of_a_framework_is_found_in_each() -> None:
    panel = a_level_panel(6, cell1=(10, 0.05), cell3=(10, 0.05), cell5=(10, 0.05))
    found = search_panel(panel.series, panel.series, 0.05 / 6, 0.05)
    assert [sum(step.claimed for step in found[label(number)]) for number in range(6)] == [0, 1, 0, 1, 0, 1]


def test_the_ratio_has_room_for_what_runs_do_and_the_observed_one_has_none() -> None:
    panel = a_level_panel(4, cell0=(10, math.log(1.08)))
    (step,) = search_panel(panel.series, panel.series, 0.05 / 4, 0.05)[label(0)]
    assert step.observed.low <= 1.08 <= step.observed.high
    assert step.ratio.low <= 1.08 <= step.ratio.high
    assert step.claimed


def test_another_version_of_this_program_is_a_change() -> None:
    first, second = (a_level_panel(1).series[label(0)][run] for run in (0, 1))
    newer = replace(second, run=replace(second.run, code="other"))
    assert list(describe_changes(first, newer)) == ["another version of Plumbline measured it"]
    assert list(describe_changes(first, second)) == []


def test_a_commit_that_is_not_known_is_said_to_be() -> None:
    first, second = (a_level_panel(1).series[label(0)][run] for run in (0, 1))
    known = replace(second, run=replace(second.run, commits={"mlp": "ab" * 20}))
    assert list(describe_changes(first, known)) == ["commit unknown is now abababab"]
