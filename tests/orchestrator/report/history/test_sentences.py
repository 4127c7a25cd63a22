"""What a history says: each step with what changed there, the lack of steps, and the limits of the search."""

from collections.abc import Callable

from orchestrator.comparison.history import CellHistory, History
from orchestrator.report.history.sentences import (
    describe_findings,
    describe_history,
    describe_skipped,
    describe_type,
    format_commit,
    format_version,
)

MakeCell = Callable[..., CellHistory]
MakeHistory = Callable[..., History]
TITLE = "mlp backward (depth=3), batch 1, float32, 1 thread, cpu"


def say(history: History) -> list[str]:
    return describe_history(history.types[0], history.alpha)


def test_a_machine_is_named_with_its_type_its_runs_and_their_time(stepped: History) -> None:
    said = describe_type(stepped.types[0])
    assert said.startswith("a CPU, 2 cores, 1 GiB (type ")
    assert said.endswith("): 12 runs, 2025-01-01 to 2025-01-12")


def test_a_step_is_told_with_its_direction_its_size_its_run_and_what_changed(stepped: History) -> None:
    assert say(stepped) == [
        f"torch:eager, {TITLE}: slower from 20250107-120000-nightly on, 1.080 times the time before (1.070 to 1.090). "
        "There, torch 2.12.0 is now 2.13.0.",
        "1 of 2 searched cells: no step.",
        "If nothing changed, the chance of a step in any of 2 cells is at most 5 % in one look at one machine's "
        "table. Looks after every run show one more often.",
    ]


def test_a_step_down_is_faster(make_cell_history: MakeCell) -> None:
    said = describe_findings(make_cell_history(step=0.9))
    assert said.startswith("Faster from 20250107-120000-nightly on, 0.900 times the time before (0.890 to 0.910).")


def test_where_nothing_recorded_differs_that_is_said(make_cell_history: MakeCell) -> None:
    said = describe_findings(make_cell_history(step=1.08, changed=()))
    assert said.endswith("There, nothing that is recorded differs between these two runs.")


def test_of_many_differences_the_first_are_named(make_cell_history: MakeCell) -> None:
    changed = tuple(f"package{number} 1 is now 2" for number in range(8))
    said = describe_findings(make_cell_history(step=1.08, changed=changed))
    assert "package4 1 is now 2; and 3 more." in said
    assert "package5" not in said


def test_a_step_that_runs_may_have_made_is_no_claim(make_history: MakeHistory, make_cell_history: MakeCell) -> None:
    said = say(make_history(make_cell_history(step=1.01, claimed=False)))
    assert said[:2] == [
        "1 of 1 searched cells: no step.",
        "No claim: torch:eager (1.010 from 20250107-120000-nightly on). Each is significant, but runs may move a cell "
        "that did not change as far.",
    ]


def test_with_too_few_runs_the_number_that_is_needed_is_said(
    make_history: MakeHistory, make_cell_history: MakeCell
) -> None:
    short = make_cell_history(runs=4)
    assert say(make_history(short)) == [f"A step needs 10 runs to be found in 1 cell; torch:eager, {TITLE}: 4."]
    assert describe_findings(short) == "Too few runs to find a step."
    several = say(make_history(short, make_cell_history("jax:jit")))
    assert several[:2] == [
        "1 of 1 searched cells: no step.",
        f"A step needs 10 runs to be found in 2 cells; torch:eager, {TITLE}: 4.",
    ]


def test_too_many_cells_for_one_search_are_said_to_be(make_history: MakeHistory, make_cell_history: MakeCell) -> None:
    assert say(make_history(make_cell_history(needed=None), make_cell_history(needed=None))) == [
        "2 cells are too many for one search: choose some of them with --cell."
    ]


def test_an_effect_of_runs_that_is_assumed_is_said_to_be(
    make_history: MakeHistory, make_cell_history: MakeCell
) -> None:
    said = say(make_history(make_cell_history(controls=0)))
    assert said[1].startswith("Too few other cells show what runs do to a cell that did not change.")
    assert "a standard deviation of 2 % is assumed, so steps of less than about 5 % are not claimed." in said[1]
    assert said[-1].startswith("If nothing changed, the chance of a step is at most 5 % in one look at one machine's")


def test_what_is_left_out_is_named(make_history: MakeHistory, make_cell_history: MakeCell) -> None:
    assert describe_skipped(make_history(make_cell_history(), skipped=("a-run is MIXED",))) == [
        "Left out: a-run is MIXED."
    ]


def test_a_point_names_the_version_of_its_framework_and_the_commit_of_its_workload(stepped: History) -> None:
    first, last = (stepped.types[0].cells[0].points[index] for index in (0, -1))
    assert [format_version(point) for point in (first, last)] == ["2.12.0", "2.13.0"]
    assert [format_commit(point) for point in (first, last)] == ["a1a1a1a1", "b2b2b2b2"]


def test_characters_that_a_terminal_would_obey_are_replaced(
    make_history: MakeHistory, make_cell_history: MakeCell
) -> None:
    said = say(make_history(make_cell_history(step=1.08, changed=("torch 1\x1b[31m is now 2",))))
    assert "\x1b" not in "".join(said)
