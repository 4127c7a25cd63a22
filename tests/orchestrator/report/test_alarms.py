"""Alarms are raised for doubts about a whole run, and for nothing else."""

import dataclasses
import math

import pytest

from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.derivation.disturbance import Flag
from orchestrator.analysis.quality.grades import Grade
from orchestrator.analysis.results import Group
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.report.alarms import list_alarms

FALSE = Interval(0.9, 0.89, 0.91)


def with_clone(group: Group, verdict: Verdict, ratio: Interval = FALSE) -> Group:
    assert group.clone is not None
    return dataclasses.replace(group, clone=dataclasses.replace(group.clone, verdict=verdict, ratio=ratio))


def graded(group: Group, *grades: Grade) -> Group:
    """Return a group whose measured cells have these grades in turn."""
    results = tuple(
        dataclasses.replace(result, grade=grades[place % len(grades)], flags=frozenset({Flag.DELAY, Flag.STEAL}))
        for place, result in enumerate(group.results)
    )
    return dataclasses.replace(group, results=results)


def test_a_sound_run_has_no_alarm(known_run: Run) -> None:
    assert list_alarms(known_run.groups) == []
    assert list_alarms([]) == []


@pytest.mark.parametrize("verdict", [Verdict.FASTER, Verdict.DIFFERENT_BUT_SMALL, Verdict.ESTIMATOR_DEPENDENT])
def test_a_claimed_difference_between_a_cell_and_itself_is_an_alarm(known_run: Run, verdict: Verdict) -> None:
    (alarm,) = list_alarms([with_clone(known_run.groups[0], verdict)])
    assert alarm == (
        f"A/A check FAILED: torch:eager compared with itself is {verdict} (ratio 0.900, 0.890 to 0.910), "
        "a false claim: distrust differences of this size in this run."
    )


def test_of_several_computations_the_alarm_names_the_one(known_run: Run) -> None:
    (alarm,) = list_alarms([with_clone(known_run.groups[0], Verdict.SLOWER), known_run.groups[1]])
    assert alarm.startswith("mlp forward: A/A check FAILED")


def test_an_a_a_check_that_could_not_decide_is_no_alarm(known_run: Run) -> None:
    wide = with_clone(known_run.groups[0], Verdict.UNRESOLVED, Interval(1.1, 0, math.inf))
    assert list_alarms([wide]) == []


def test_a_run_of_which_everything_was_disturbed_says_so_with_the_flags_and_the_remedy(known_run: Run) -> None:
    (alarm,) = list_alarms([graded(group, "C") for group in known_run.groups])
    assert alarm.startswith("All 8 measured cells were disturbed in most processes (DELAY, STEAL). ")
    assert alarm.endswith("python -m orchestrator doctor")


def test_one_disturbed_cell_is_told_in_the_singular(known_run: Run) -> None:
    group = graded(known_run.groups[0], "C")
    alone = dataclasses.replace(group, results=group.results[:1], clone=None)
    assert list_alarms([alone])[0].startswith("The measured cell was disturbed")


@pytest.mark.parametrize("grades", [("C", "B"), ("B",), ("A", "C")])
def test_a_run_with_one_cell_that_was_less_disturbed_has_no_such_alarm(
    known_run: Run, grades: tuple[Grade, ...]
) -> None:
    assert list_alarms([graded(known_run.groups[0], *grades)]) == []
