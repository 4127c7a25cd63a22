"""Sentences on two runs: what may be claimed of each cell, and how a gate ended."""

import dataclasses
import math
from collections.abc import Callable
from typing import cast

import pytest

from orchestrator.analysis.compare import CLAIMS, Verdict
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.quality.grades import Grade
from orchestrator.analysis.results import Result
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.comparison.changes import Change, Ratio
from orchestrator.comparison.compare import Compared
from orchestrator.comparison.gates import Gate, apply_gate
from orchestrator.report.comparison.sentences import (
    count_disturbed,
    count_unchanged,
    describe_gate,
    describe_memory_changes,
    describe_time_claim,
    format_delay,
    format_signed_percent,
)
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.analysis.costs.test_memory import needing

MakeChange = Callable[..., Change]


GRADES: list[tuple[Grade, Grade]] = [("A", "A"), ("A", "C"), ("C", "A"), ("C", "C"), ("A", "B")]


@pytest.fixture
def result(
    make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord], make_report: Callable[..., Report]
) -> Result:
    """Return the result of a cell with times and memory."""
    cell = make_cell("torch:eager")
    records = [make_record(cell, block, result=make_report(1000, **needing(220))) for block in range(1, 4)]
    (group,) = group_results(records, [cell])
    return group.results[0]


@pytest.fixture
def make_change(result: Result) -> MakeChange:
    """Return a function that makes a change of one cell, by its claimed ratio of time and of memory."""

    def make(
        verdict: Verdict | None = Verdict.SLOWER,
        time: Interval | None = None,
        step_peak: Interval | None = None,
        grades: tuple[Grade, Grade] = ("A", "A"),
    ) -> Change:
        claimed = time or Interval(1.2, 1.1, 1.3)
        before, after = (dataclasses.replace(result, grade=grade) for grade in grades)
        memory = {} if step_peak is None else {"step_peak": Ratio(observed=step_peak, claimed=step_peak)}
        return Change(
            cell=result.cell,
            before=before,
            after=after,
            time=Ratio(observed=claimed, claimed=claimed),
            memory=memory,  # type: ignore[arg-type]
            p=0.01,
            verdict=verdict,
            reason="",
        )

    return make


@pytest.mark.parametrize(
    ("verdict", "ending"),
    [
        (Verdict.SLOWER, "B takes 1.200 times as long as A (1.100 to 1.300): slower"),
        (Verdict.FASTER, "B takes 1.200 times as long as A (1.100 to 1.300): faster"),
        (
            Verdict.DIFFERENT_BUT_SMALL,
            "B takes 1.200 times as long as A (1.100 to 1.300): a real difference, but estimated too small to matter",
        ),
    ],
)
def test_each_claim_has_its_sentence(make_change: MakeChange, verdict: Verdict, ending: str) -> None:
    assert describe_time_claim(make_change(verdict)) == ending


def test_what_is_not_claimed_is_counted_and_not_listed(make_change: MakeChange) -> None:
    changes = [make_change(verdict) for verdict in (Verdict.EQUIVALENT, Verdict.EQUIVALENT, Verdict.UNRESOLVED)]
    assert list(count_unchanged([*changes, make_change(Verdict.SLOWER), make_change(None)])) == [
        "2 of 5 cells: as fast in B as in A.",
        "1 of 5 cells: B and A cannot be distinguished by these runs.",
    ]


@pytest.mark.parametrize("verdict", sorted(set(Verdict) - CLAIMS))
def test_every_verdict_that_claims_nothing_has_its_words(make_change: MakeChange, verdict: Verdict) -> None:
    (sentence,) = count_unchanged([make_change(verdict)])
    assert sentence.startswith("1 of 1 cells: ")


def test_cells_that_were_too_disturbed_in_either_run_are_counted(make_change: MakeChange) -> None:
    changes = [make_change(grades=grades) for grades in GRADES]
    assert list(count_disturbed(changes)) == [
        "3 of 5 cells: graded C in at least one run; intervals have room for disturbances."
    ]
    assert list(count_disturbed(changes[:1])) == []


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        (Interval(1.5, 1.4, 1.6), True),
        (Interval(0.5, 0.4, 0.6), True),
        (Interval(1.5, 1.0, 2.0), False),
        (Interval(1.01, 1.005, 1.015), False),
        (Interval(0.99, 0.985, 0.995), False),
        (Interval(math.nan, -math.inf, math.inf), False),
    ],
)
def test_memory_is_worth_a_sentence_if_it_has_certainly_changed_by_more_than_the_margin(
    make_change: MakeChange, claimed: Interval, said: bool
) -> None:
    sentences = list(describe_memory_changes(make_change(step_peak=claimed)))
    assert len(sentences) == said
    if said:
        assert "the step peak of B is " in sentences[0]
        assert sentences[0].endswith(" MiB.")


def test_memory_that_one_run_does_not_have_is_not_spoken_of(make_change: MakeChange) -> None:
    assert list(describe_memory_changes(make_change())) == []


def test_a_gate_that_is_exceeded_names_each_cell_and_by_how_much_at_least(make_change: MakeChange) -> None:
    judged = apply_gate(Gate("slower", 0.03), [make_change(), make_change(time=Interval(1.0, 0.99, 1.01))])
    (sentence,) = describe_gate(judged, 0)
    assert sentence.startswith("GATE slower=3%: torch:eager")
    assert sentence.endswith(" exceeds it: B is at least 1.100 times A.")


@pytest.mark.parametrize(("unmeasured", "rest"), [(0, "."), (2, "; 2 could not be judged.")])
def test_a_gate_that_passed_says_how_many_cells_are_certainly_within_it(
    make_change: MakeChange, unmeasured: int, rest: str
) -> None:
    within, unsure = make_change(time=Interval(1.0, 0.99, 1.01)), make_change(Verdict.UNRESOLVED)
    (sentence,) = describe_gate(apply_gate(Gate("slower", 0.03), [within, unsure]), unmeasured)
    assert sentence == (f"Gate slower=3% passed: no cell certainly exceeds it, 1 of 2 are certainly within it{rest}")


@pytest.mark.parametrize(("unmeasured", "rest"), [(0, "."), (2, "; 2 could not be judged.")])
def test_a_gate_that_could_be_judged_on_no_cell_says_so_and_what_helps(
    make_change: MakeChange, unmeasured: int, rest: str
) -> None:
    judged = apply_gate(Gate("slower", 0.03), [make_change(Verdict.UNRESOLVED), make_change(None)])
    assert list(describe_gate(judged, unmeasured)) == [
        f"Gate slower=3% is inconclusive: 2 cells, none certainly on either side{rest} "
        "Measure more blocks, or both sides in one sweep."
    ]


@pytest.mark.parametrize(
    ("share", "text"), [(0.0028, "+0.28 %"), (-0.031, "-3.10 %"), (0.0, "+0.00 %"), (1.0, "+100.00 %")]
)
def test_a_share_has_its_sign_and_two_decimals(share: float, text: str) -> None:
    assert format_signed_percent(share) == text


@dataclasses.dataclass(frozen=True)
class Apart:
    """Two runs of which only the time between them is known."""

    apart_s: float | None


@pytest.mark.parametrize(
    ("apart_s", "text"),
    [
        (None, "at a different time from A"),
        (0.0, "0 seconds after A"),
        (119.0, "119 seconds after A"),
        (120.0, "2 minutes after A"),
        (600.0, "10 minutes after A"),
        (-7200.0, "2 hours before A"),
        (86_400.0, "24 hours after A"),
        (259_200.0, "3 days after A"),
    ],
)
def test_the_time_between_two_runs_is_in_the_largest_unit_of_which_there_are_two(
    apart_s: float | None, text: str
) -> None:
    assert format_delay(cast("Compared", Apart(apart_s))) == text


def test_a_gate_on_memory_that_could_not_be_judged_says_how_to_start(make_change: MakeChange) -> None:
    judged = apply_gate(Gate("memory", 0.05), [make_change(None)])
    (sentence,) = describe_gate(judged, 0)
    assert sentence.endswith("so measure with --start fresh.")
