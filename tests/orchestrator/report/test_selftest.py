"""The output of a self-test, for people and for programs."""

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from orchestrator.execution.sweep_events import BlockStarted, JobStarted
from orchestrator.report import false_positives, selftest
from orchestrator.selftest.check import Check, Reading, make_spin_cell
from orchestrator.selftest.checks.aa import CELLS
from orchestrator.selftest.false_positives import FalsePositiveRate
from orchestrator.selftest.run import CHECKS, CheckResult, CloneTrial
from schemas.job import JobSpec, Timing
from schemas.record import Host
from schemas.sweep import SweepSpec

LONG = Reading(
    what="filtered typical/floor", promised="moved by < 3 %", got="UNRESOLVED, FASTER but for its grade", kept=None
)
KEPT = Reading(
    what="ratio", promised="covers 1.03", got="1.03001 (1.02991–1.03009)", kept=True, numbers={"low": 1.0299}
)
BROKEN = Reading(what="claims about 15 pairs", promised="none", got="1 (15 DIFFERENT-BUT-SMALL)", kept=False)


def a_finding(*figures: Reading) -> CheckResult:
    promise = Check(
        name="a promise",
        says="it holds",
        cells=(make_spin_cell(1000),),
        timing=Timing(),
        blocks=8,
        judge=lambda _: figures,
    )
    return CheckResult(promise, figures, 12.4)


def shown(findings: Sequence[CheckResult], host: Host) -> str:
    console = Console(file=io.StringIO(), width=80)
    selftest.show_selftest(console, findings, host, "/runs/x/jobs")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def a_trial(host: Host, claims: int = 4) -> CloneTrial:
    rates = (
        FalsePositiveRate("Plumbline", "six clones, all 15 pairs (Holm)", claims, 200),
        FalsePositiveRate("torch: disjoint intervals", "x", 0, 0),
        FalsePositiveRate("x", "y", 12_345, 54_321),
    )
    return CloneTrial(spec=SweepSpec(), cells=CELLS, host=host, jobs=144, experiments=2, rates=rates)


def test_the_longest_figures_are_whole_in_80_columns(host: Host) -> None:
    text = shown([a_finding(LONG, KEPT, BROKEN)], host)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    for word in ("filtered typical/floor", "moved by < 3 %", "1.02991–1.03009", "passed", "FAILED"):
        assert word in text


@pytest.mark.parametrize("promise", [promise() for promise in CHECKS], ids=lambda promise: promise.name)
def test_every_promise_has_a_title_of_one_line(promise: Check) -> None:
    assert len(f"{promise.name}: {promise.says}") <= 80


def test_the_conclusion_names_what_fell_short(host: Host) -> None:
    assert "1 of 2 checks failed in 25 s: a promise." in shown([a_finding(KEPT), a_finding(BROKEN)], host)
    assert "All 2 checks passed" in shown([a_finding(KEPT), a_finding(LONG)], host)


def test_a_promise_at_a_level_of_confidence_is_said_to_fail_by_chance(host: Host) -> None:
    finding = a_finding(BROKEN)
    by_chance = replace(finding, promise=replace(finding.promise, by_chance=0.04))
    assert "up to 4 % of runs" in " ".join(shown([by_chance], host).split())
    assert "by chance" not in shown([finding], host).lower()


def test_nothing_that_was_tried_is_not_called_a_success(host: Host) -> None:
    assert "No check was completed" in shown([], host)


def test_a_line_says_what_begins_and_how_it_ended() -> None:
    finding = a_finding(BROKEN)
    assert selftest.format_check_event(finding.promise) == "a promise: running at most 8 jobs ..."
    assert selftest.format_check_event(finding) == "a promise: FAILED after 12 s"


def test_the_document_holds_every_figure_with_its_numbers(host: Host) -> None:
    said = json.loads(
        json.dumps(selftest.build_selftest_document("run", [a_finding(KEPT, LONG)], host, ""), allow_nan=False)
    )
    assert said["kept"] is True
    (promise,) = said["promises"]
    assert [figure["kept"] for figure in promise["figures"]] == [True, None]
    assert promise["figures"][0]["numbers"] == {"low": 1.0299}


def test_a_number_that_the_data_do_not_support_is_null(host: Host) -> None:
    unknown = replace(KEPT, numbers={"half_width": math.inf, "ratio": math.nan})
    said = json.loads(
        json.dumps(selftest.build_selftest_document("run", [a_finding(unknown)], host, ""), allow_nan=False)
    )
    assert said["promises"][0]["figures"][0]["numbers"] == {"half_width": None, "ratio": None}


def test_rates_are_shown_with_their_intervals_and_their_conditions(host: Host) -> None:
    console = Console(file=io.StringIO(), width=80)
    false_positives.show_rates(console, a_trial(host), "/runs/x/jobs")
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    for word in ("4/200", "2.0 %", "0.5–5.0", "–  0.0–100.0", "12345/54321", "share processes", "replayed", "a CPU"):
        assert " ".join(word.split()) in " ".join(text.split())


def test_the_document_of_rates_has_no_number_that_json_lacks(host: Host) -> None:
    said = json.loads(json.dumps(false_positives.build_rates_document("run", a_trial(host), ""), allow_nan=False))
    assert said["rates"][0]["share"]["estimate"] == pytest.approx(0.02)
    assert said["rates"][1]["share"] is None


def test_a_line_is_said_as_an_experiment_begins_and_at_no_other_moment(make_spec: Callable[..., JobSpec]) -> None:
    said = [false_positives.format_experiment_start(BlockStarted(block, CELLS), 12) for block in range(1, 26)]
    assert [index for index, line in enumerate(said) if line] == [0, 12, 24]
    assert said[24].startswith("experiment 3: ")
    assert false_positives.format_experiment_start(JobStarted(make_spec()), 12) == ""
