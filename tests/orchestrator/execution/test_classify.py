import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import get_args

import pytest

from orchestrator.execution import classify
from orchestrator.execution.peak_rates import max_ceiling
from orchestrator.execution.stops import TIMED_PHASES
from orchestrator.execution.supervisor import Ending, EndKind
from orchestrator.processes.cgroup import CgroupUsage
from orchestrator.processes.oom import OomCause
from orchestrator.records import outcomes
from schemas.artefact import Artefact
from schemas.event import Ceiling, Event, Exported, Failure, Hello, Phase, Profiled, Report
from schemas.job import ComputeReference, Export, JobSpec, Measure, Profile, Purpose
from schemas.limits import Limits
from schemas.record import SUCCESSES, Outcome

HELLO = Hello(pid=1, python="3.11", interpreter="x")


BUILD, WARM_UP = Phase(name="build"), Phase(name="warm_up")


RAISED = Failure(outcome="raised", reason="ValueError: no", where="torch.py:7")


HONOURED = {"name": "threads", "asked": "1", "got": "1"}


IGNORED = {"name": "threads", "asked": "1", "got": "2"}


PEAK = {"flops_per_s": 1e9, "bytes_per_s": 2e9}


OFF = {"checks": (), "reason": "the loss is off"}


WRITTEN = Artefact(path="/x", sha256="ab", size_bytes=3)


EXPORTED = Exported(artefact=WRITTEN, versions={}, settings=(), phases=())


PROFILED = Profiled(trace=WRITTEN, calls=10, counts={}, versions={}, phases=())


PURPOSES = (Measure(), Export(path="/x"), Profile(path="/x"), ComputeReference(path="/x"))


MakeSpec = Callable[..., JobSpec]


MakeReport = Callable[..., Report]


def make_ending(
    *events: Event, how: EndKind = "ended", status: int = 0, reason: str = "", oom: OomCause = "no"
) -> Ending:
    return Ending(how, status, events, 1, reason, oom)


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        (make_ending(HELLO, BUILD, status=-9), "out-of-memory"),
        (make_ending(HELLO, BUILD, RAISED), "out-of-memory"),
        (make_ending(HELLO, BUILD, how="timeout", status=-9), "out-of-memory"),
        (make_ending(HELLO, BUILD, how="limit", status=-9), "out-of-memory"),
        (make_ending(HELLO, BUILD, how="interrupted", status=-2), "interrupted"),
    ],
)
def test_what_the_kernel_ended_of_a_job_for_want_of_memory_explains_the_rest(
    make_spec: MakeSpec, ending: Ending, outcome: Outcome
) -> None:
    spec = make_spec(limits=Limits(memory=3 << 29))
    assert classify.classify_ending(spec, replace(ending, group=CgroupUsage("v1", kills=0))).outcome != "out-of-memory"
    found = classify.classify_ending(spec, replace(ending, group=CgroupUsage("v1", kills=2)))
    assert found.outcome == outcome
    if outcome == "out-of-memory":
        assert "because memory ran out during build, under the limit of 1536 MiB" in found.reason


@pytest.mark.parametrize(
    ("ending", "outcome", "reason"),
    [
        (make_ending(how="interrupted", status=-2, reason="stopped by SIGINT"), "interrupted", "stopped by SIGINT"),
        (make_ending(HELLO, how="timeout", status=-9), "timeout", "within 5 s; it ended before its first phase"),
        (make_ending(HELLO, WARM_UP, how="timeout", status=-9), "timeout", "during warm up"),
        (make_ending(HELLO, how="garbled", status=-2, reason="invalid: b'x'"), "garbled", "invalid: b'x'"),
        (make_ending(HELLO, BUILD, RAISED), "raised", r"ValueError: no \(torch.py:7\)"),
        (
            make_ending(HELLO, Failure(outcome="unsupported", reason="nobody wrote it")),
            "unsupported",
            "^nobody wrote it$",
        ),
        (make_ending(HELLO, Failure(outcome="out-of-memory", reason="MemoryError")), "out-of-memory", "MemoryError"),
        (make_ending(HELLO, BUILD, status=-11), "killed", "SIGSEGV ended it during build"),
        (make_ending(status=-9), "killed", "SIGKILL ended it before its first phase"),
        (make_ending(HELLO, BUILD, status=3), "no-report", "status 3 during build"),
        (
            make_ending(HELLO, BUILD, how="limit", status=-9, reason="too much"),
            "limit-reached",
            "too much; it ended during b",
        ),
        (
            make_ending(HELLO, WARM_UP, how="timeout", status=-9, reason="warm up took 9 s"),
            "timeout",
            "^warm up took 9 s; it",
        ),
        (make_ending(HELLO, BUILD, status=-9, oom="sure"), "out-of-memory", "^the kernel killed it during build"),
        (
            make_ending(HELLO, BUILD, status=-9, oom="probable"),
            "out-of-memory",
            "^the kernel probably killed it during",
        ),
        (make_ending(HELLO, BUILD, status=-9, oom="killed meanwhile"), "killed", "but this job held little"),
        (make_ending(HELLO, BUILD, status=-9), "killed", "the signal came from outside"),
        (make_ending(HELLO, BUILD, how="timeout", status=-9, oom="sure"), "timeout", "within 5 s"),
        (make_ending(HELLO, BUILD, status=-11, oom="sure"), "killed", "SIGSEGV ended it during build$"),
        (make_ending(), "no-report", "status 0 before its first phase"),
    ],
)
def test_ways_to_end_without_a_report_are_told_apart(
    make_spec: MakeSpec, ending: Ending, outcome: Outcome, reason: str
) -> None:
    judgement = classify.classify_ending(make_spec(deadline_s=5), ending)
    assert judgement.outcome == outcome
    assert re.search(reason, judgement.reason)


@pytest.mark.parametrize(
    ("said", "outcome", "reason"),
    [
        ({}, "measured", "^$"),
        ({"settings": (HONOURED,)}, "measured", "^$"),
        ({"settings": (HONOURED, IGNORED)}, "unfair", "threads: asked for 1, got 2"),
        ({"settings": ({"name": "V", "asked": "1", "got": ""},)}, "unfair", "V: asked for 1, got nothing"),
        ({"verification": OFF}, "wrong", "the loss is off"),
        ({"verification": OFF, "settings": (IGNORED,)}, "unfair", "threads"),
        ({"compilations": None}, "measured", "^$"),
        ({"compilations": 3}, "recompiled", "compiled 3 times while it was timed"),
        ({"compilations": 3, "verification": OFF}, "wrong", "the loss is off"),
        ({"work": {"flops": 1260, "bytes": 0}, "ceiling": PEAK}, "implausible", r"1\.3e\+09 operations per second"),
        ({"work": {"flops": 1240, "bytes": 0}, "ceiling": PEAK}, "measured", "^$"),
        ({"work": {"flops": 0, "bytes": 2520}, "ceiling": PEAK}, "implausible", r"ever measured here is 2e\+09"),
        ({"unseen": 1.51}, "implausible", r"on new inputs a call took 1\.51 times as long: results are cached"),
        ({"unseen": 1.5}, "measured", "^$"),
        ({"rest_cpu_ns": 19_000_000}, "implausible", "used 19 ms of CPU time in the 20 ms after the last sample: work"),
        ({"rest_cpu_ns": 3_900_000}, "measured", "^$"),
        ({"unseen": 9.0, "compilations": 3}, "recompiled", "compiled 3 times"),
        ({"overhead": {"null_ns": 20, "clock_ns": 30, "linearity": 1.0}}, "nonlinear", r"1\.00 times as long"),
        ({"overhead": {"null_ns": 20, "clock_ns": 30, "linearity": 2.5}}, "nonlinear", r"2\.50 times as long"),
        ({"overhead": {"null_ns": 20, "clock_ns": 30, "linearity": None}}, "measured", "^$"),
        ({"overhead": {"null_ns": 200, "clock_ns": 30, "linearity": 2.0}}, "overhead-dominated", "loop itself 200 ns"),
        ({"overhead": {"null_ns": 160, "clock_ns": 30, "linearity": 2.0}}, "measured", "^$"),
    ],
)
def test_a_report_is_measured_only_if_it_is_fair_and_right_and_its_time_is_that_of_its_work(
    make_spec: MakeSpec, make_report: MakeReport, said: Mapping[str, object], outcome: Outcome, reason: str
) -> None:
    judgement = classify.classify_ending(make_spec(), make_ending(HELLO, BUILD, make_report(**said)))
    assert judgement.outcome == outcome
    assert re.search(reason, judgement.reason)


def test_a_process_is_held_to_the_most_that_any_was_seen_to_do(make_spec: MakeSpec, make_report: MakeReport) -> None:
    ending = make_ending(HELLO, make_report(work={"flops": 1900, "bytes": 0}, ceiling=PEAK))
    most = max_ceiling(Ceiling(flops_per_s=2e9, bytes_per_s=1), Ceiling.model_validate(PEAK))
    assert classify.classify_ending(make_spec(), ending).outcome == "implausible"
    assert classify.classify_ending(make_spec(), ending, most).outcome == "measured"
    assert (most.flops_per_s, most.bytes_per_s) == (2e9, 2e9)


def test_a_report_without_a_hello_before_it_is_no_report(make_spec: MakeSpec, make_report: MakeReport) -> None:
    assert classify.classify_ending(make_spec(), make_ending(make_report())).outcome == "garbled"


@pytest.mark.parametrize("how", ["timeout", "garbled", "interrupted"])
def test_what_the_parent_did_explains_what_the_job_said(
    make_spec: MakeSpec, make_report: MakeReport, how: EndKind
) -> None:
    assert classify.classify_ending(make_spec(), make_ending(HELLO, make_report(), how=how)).outcome == how


def test_a_report_counts_as_the_last_word_only(make_spec: MakeSpec, make_report: MakeReport) -> None:
    ending = make_ending(HELLO, make_report(), BUILD)
    assert classify.classify_ending(make_spec(), ending).outcome == "no-report"
    assert classify.find_result(make_spec(), ending) is None


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_job_succeeds_with_the_result_that_its_purpose_asks_for_and_with_no_other(
    make_spec: MakeSpec, make_report: MakeReport, purpose: Purpose
) -> None:
    spec = make_spec(purpose=purpose)
    success, due = SUCCESSES[purpose.kind]
    for result in (make_report(), EXPORTED, PROFILED):
        ending = make_ending(HELLO, result)
        if result.kind == due:
            assert (classify.classify_ending(spec, ending).outcome, classify.find_result(spec, ending)) == (
                success,
                result,
            )
        else:
            assert classify.classify_ending(spec, ending).outcome == "garbled"
            assert classify.find_result(spec, ending) is None


@pytest.mark.parametrize("result", [EXPORTED, PROFILED])
def test_a_result_does_not_excuse_a_job_that_the_parent_ended(make_spec: MakeSpec, result: Exported | Profiled) -> None:
    spec = make_spec(purpose=Export(path="/x") if result is EXPORTED else Profile(path="/x"))
    assert classify.classify_ending(spec, make_ending(HELLO, result, how="timeout")).outcome == "timeout"
    assert classify.classify_ending(spec, make_ending(result)).outcome == "garbled"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGRTMIN + 1, signal.SIGRTMAX])
def test_death_by_any_signal_is_an_outcome_even_by_one_without_a_name(make_spec: MakeSpec, number: int) -> None:
    assert classify.classify_ending(make_spec(), make_ending(HELLO, status=-number)).outcome == "killed"


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_every_outcome_but_success_has_its_advice(outcome: Outcome) -> None:
    assert bool(outcomes.Classification(outcome).advice) == (outcome not in ("measured", "exported", "profiled"))


def test_the_users_own_limit_of_memory_is_named_where_it_may_be_why(make_spec: MakeSpec) -> None:
    spec = make_spec(limits={"memory": "4GiB"})
    starved = (Failure(outcome="out-of-memory", reason="MemoryError"), RAISED)
    for ending in (
        *(make_ending(HELLO, each) for each in starved),
        make_ending(HELLO, status=-6),
        make_ending(HELLO, status=1),
    ):
        assert classify.classify_ending(spec, ending).reason.endswith(", under the limit of 4 GiB")


def test_the_last_phase_is_the_one_that_was_open(make_report: MakeReport) -> None:
    assert classify.find_last_phase(make_ending(HELLO)) is None
    assert classify.find_last_phase(make_ending(HELLO, BUILD, WARM_UP, make_report())) == "warm_up"


@pytest.mark.parametrize(
    ("phases", "outcome"),
    [
        ({"import": 180, "steady": 0}, "measured"),
        ({"compile": 1, "verify": 2, "memory": 3}, "measured"),
        *(({name: 2}, "stopped") for name in sorted(TIMED_PHASES)),
    ],
)
def test_a_stop_while_calls_are_timed_takes_their_times_away_and_any_other_does_not(
    make_spec: MakeSpec, make_report: MakeReport, phases: Mapping[str, int], outcome: Outcome
) -> None:
    costs = [{"name": name, "wall_ns": 1, "cpu_ns": 1, "stopped_ns": s * 10**9} for name, s in phases.items()]
    found = classify.classify_ending(make_spec(), make_ending(HELLO, make_report(phases=costs)))
    assert found.outcome == outcome
    if outcome == "stopped":
        (name,) = phases
        during = name.replace("_", " ")
        assert found.reason == f"a signal stopped it for 2.0 s during {during}, where calls are timed"


def test_a_machine_that_slept_takes_the_times_away_but_not_what_does_not_rest_on_times(
    make_spec: MakeSpec, make_report: MakeReport
) -> None:
    for said, outcome in (
        ({}, "stopped"),
        ({"verification": OFF}, "wrong"),
        ({"settings": (IGNORED,)}, "unfair"),
        ({"overhead": {"null_ns": 20, "clock_ns": 30, "linearity": 1.0}}, "stopped"),
    ):
        ending = replace(make_ending(HELLO, make_report(**said)), suspended_ns=180 * 10**9)
        found = classify.classify_ending(make_spec(), ending)
        assert found.outcome == outcome
    assert classify.outside_from_ending(ending, "", 0.0).suspended_ns == 180 * 10**9


def test_what_the_parent_saw_of_stops_is_kept(make_report: MakeReport) -> None:
    ending = replace(make_ending(HELLO, make_report()), stops=((5, 15), (20, 27)))
    assert classify.outside_from_ending(ending, "", 0.0).stopped_ns == 17
