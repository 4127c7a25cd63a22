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
from orchestrator.selftest.run import CHECK_MAKERS, CheckResult, CloneMeasurement
from schemas.job import JobSpec, Timing
from schemas.record import Host
from schemas.sweep import SweepSpec

LONG = Reading(
    quantity="filtered typical/floor",
    expected="moved by < 3 %",
    found="+0.28 % (2.04 unfiltered, of all processes)",
    passed=None,
)
PASSED = Reading(
    quantity="ratio", expected="covers 1.03", found="1.03001 (1.02991–1.03009)", passed=True, numbers={"low": 1.0299}
)
FAILED = Reading(quantity="claims about 15 pairs", expected="none", found="1 (15 DIFFERENT-BUT-SMALL)", passed=False)


def a_result(*readings: Reading) -> CheckResult:
    check = Check(
        name="a check",
        statement="it holds",
        cells=(make_spin_cell(1000),),
        timing=Timing(),
        blocks=8,
        judge=lambda _: readings,
    )
    return CheckResult(check, readings, 12.4)


def shown(results: Sequence[CheckResult], host: Host) -> str:
    console = Console(file=io.StringIO(), width=80)
    selftest.show_selftest(console, results, host, "/runs/x/jobs")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def measured_clones(host: Host, claims: int = 4) -> CloneMeasurement:
    rates = (
        FalsePositiveRate("six clones, all 15 pairs (Holm)", claims, 200),
        FalsePositiveRate("never tried", 0, 0),
        FalsePositiveRate("often tried", 12_345, 54_321),
    )
    return CloneMeasurement(spec=SweepSpec(), cells=CELLS, host=host, jobs=144, experiments=2, rates=rates)


def test_the_longest_readings_are_whole_in_80_columns(host: Host) -> None:
    text = shown([a_result(LONG, PASSED, FAILED)], host)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    for word in ("filtered typical/floor", "moved by < 3 %", "1.02991–1.03009", "passed", "FAILED"):
        assert word in text


@pytest.mark.parametrize("check", [check() for check in CHECK_MAKERS], ids=lambda check: check.name)
def test_every_check_has_a_title_of_one_line(check: Check) -> None:
    assert len(f"{check.name}: {check.statement}") <= 80


def test_the_conclusion_names_what_fell_short(host: Host) -> None:
    assert "1 of 2 checks failed in 25 s: a check." in shown([a_result(PASSED), a_result(FAILED)], host)
    assert "All 2 checks passed" in shown([a_result(PASSED), a_result(LONG)], host)


def test_a_check_at_a_level_of_confidence_is_said_to_fail_by_chance(host: Host) -> None:
    result = a_result(FAILED)
    by_chance = replace(result, check=replace(result.check, failing_by_chance=0.04))
    assert "up to 4 % of runs" in " ".join(shown([by_chance], host).split())
    assert "by chance" not in shown([result], host).lower()


def test_nothing_that_was_tried_is_not_called_a_success(host: Host) -> None:
    assert "No check was completed" in shown([], host)


def test_a_line_says_what_begins_and_how_it_ended() -> None:
    result = a_result(FAILED)
    assert selftest.format_check_event(result.check) == "a check: running at most 8 jobs ..."
    assert selftest.format_check_event(result) == "a check: FAILED after 12 s"


def test_the_document_holds_every_reading_with_its_numbers(host: Host) -> None:
    said = json.loads(
        json.dumps(selftest.build_selftest_document("run", [a_result(PASSED, LONG)], host, ""), allow_nan=False)
    )
    assert said["kept"] is True
    (check,) = said["promises"]
    assert [reading["kept"] for reading in check["figures"]] == [True, None]
    assert check["figures"][0]["numbers"] == {"low": 1.0299}


def test_a_number_that_the_data_do_not_support_is_null(host: Host) -> None:
    unknown = replace(PASSED, numbers={"half_width": math.inf, "ratio": math.nan})
    said = json.loads(
        json.dumps(selftest.build_selftest_document("run", [a_result(unknown)], host, ""), allow_nan=False)
    )
    assert said["promises"][0]["figures"][0]["numbers"] == {"half_width": None, "ratio": None}


def test_rates_are_shown_with_their_intervals_and_their_conditions(host: Host) -> None:
    console = Console(file=io.StringIO(), width=80)
    false_positives.show_rates(console, measured_clones(host), "/runs/x/jobs")
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    for word in ("4/200", "2.0 %", "0.5–5.0", "–  0.0–100.0", "12345/54321", "share processes", "a CPU"):
        assert " ".join(word.split()) in " ".join(text.split())


def test_the_document_of_rates_has_no_number_that_json_lacks(host: Host) -> None:
    said = json.loads(
        json.dumps(false_positives.build_rates_document("run", measured_clones(host), ""), allow_nan=False)
    )
    assert said["rates"][0]["share"]["estimate"] == pytest.approx(0.02)
    assert said["rates"][1]["share"] is None


def test_a_line_is_said_as_an_experiment_begins_and_at_no_other_moment(make_spec: Callable[..., JobSpec]) -> None:
    said = [false_positives.format_experiment_start(BlockStarted(block, CELLS), 12) for block in range(1, 26)]
    assert [index for index, line in enumerate(said) if line] == [0, 12, 24]
    assert said[24].startswith("experiment 3: ")
    assert false_positives.format_experiment_start(JobStarted(make_spec()), 12) == ""
