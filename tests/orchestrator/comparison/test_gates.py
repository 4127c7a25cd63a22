import dataclasses
import math
import re

import pytest

from orchestrator.analysis.cell_summary import summarise_cell
from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.statistics.intervals import NO_INTERVAL, Interval
from orchestrator.comparison.changes import Change, Ratio
from orchestrator.comparison.gates import Gate, apply_gate, parse_gate
from orchestrator.errors import UsageError
from schemas.job import Cell

CELL = Cell(framework="numpy", mode="eager", workload="mlp")
EMPTY = summarise_cell(CELL, [], 0.0)
SLOWER = Gate("slower", 0.03)


def a_change(low: float, high: float, verdict: Verdict | None = Verdict.SLOWER) -> Change:
    ratio = Ratio(observed=Interval(1.2, 1.19, 1.21), claimed=Interval((low + high) / 2, low, high))
    return Change(
        cell=CELL,
        before=EMPTY,
        after=EMPTY,
        time=ratio,
        memory={"footprint": ratio},
        p=0.001,
        verdict=verdict,
        reason="",
    )


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("slower=3%", SLOWER),
        (" slower = 3 % ", SLOWER),
        ("memory=12.5%", Gate("memory", 0.125)),
        ("step_peak=0%", Gate("step_peak", 0.0)),
    ],
)
def test_a_gate_is_a_metric_and_a_share(text: str, gate: Gate) -> None:
    assert parse_gate(text) == gate
    assert parse_gate(gate.text) == gate


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("slower", "should be a metric and a share"),
        ("slower=3", "such as slower=3% or memory=5%"),
        ("slower=-3%", "should be a metric"),
        ("slower=" + "9" * 400 + "%", "should be a metric"),
        ("slowr=3%", "did you mean slower?"),
    ],
)
def test_what_is_no_gate_is_told_what_one_is(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        parse_gate(text)


def test_only_a_whole_interval_beyond_it_fails_a_gate() -> None:
    changes = [a_change(1.04, 1.08), a_change(1.02, 1.08), a_change(0.99, 1.03, Verdict.UNRESOLVED)]
    judged = apply_gate(SLOWER, changes)
    assert (judged.beyond, judged.open, judged.within) == ((changes[0],), (changes[1],), (changes[2],))


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ([a_change(1.04, 1.08), a_change(0.99, 1.02, Verdict.EQUIVALENT)], "exceeded"),
        ([a_change(1.02, 1.08), a_change(0.99, 1.02, Verdict.EQUIVALENT)], "passed"),
        ([a_change(1.02, 1.08), a_change(1.04, 1.08, None)], "inconclusive"),
        ([], "inconclusive"),
    ],
)
def test_a_gate_that_no_cell_is_certainly_on_either_side_of_is_inconclusive(
    changes: list[Change], outcome: str
) -> None:
    assert apply_gate(SLOWER, changes).outcome == outcome


@pytest.mark.parametrize("verdict", [None, Verdict.UNRESOLVED, Verdict.ESTIMATOR_DEPENDENT])
def test_what_is_not_claimed_fails_no_gate(verdict: Verdict | None) -> None:
    assert not apply_gate(SLOWER, [a_change(1.04, 1.08, verdict)]).beyond


def test_what_was_observed_and_may_not_be_claimed_is_open() -> None:
    change = dataclasses.replace(a_change(1, 2), time=Ratio(observed=Interval(2, 1.9, 2.1), claimed=NO_INTERVAL.exp()))
    assert math.isinf(change.time.claimed.high)
    assert apply_gate(SLOWER, [change]).open == (change,)


def test_memory_has_gates_of_its_own_whatever_the_verdict_on_time() -> None:
    change = a_change(1.04, 1.08, Verdict.UNRESOLVED)
    assert apply_gate(Gate("memory", 0.03), [change]).beyond == (change,)
    assert apply_gate(Gate("memory", 0.10), [change]).within == (change,)
    assert apply_gate(Gate("step_peak", 0.03), [change]).open == (change,)
