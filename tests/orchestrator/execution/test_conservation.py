"""Reports whose sums do not add up are implausible, and honest ones add up."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator.execution.classify import classify_ending
from orchestrator.execution.conservation import describe_contradiction
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.execution.supervisor import Ending
from schemas.event import Event, Failure, Hello, Noise, Phase, PhaseCost, PhaseName, Report
from schemas.job import JobSpec
from tests.orchestrator.conftest import a_cell
from tests.orchestrator.execution.launchers.test_local import ONE_THREAD
from tests.workers.own_code import write_workload

MS = 1_000_000
HELLO = Hello(pid=1, python="3.11", interpreter="x")

MakeSpec = Callable[..., JobSpec]
MakeReport = Callable[..., Report]
MakeEnding = Callable[..., Ending]


@pytest.fixture
def make_known(make_report: MakeReport) -> MakeEnding:
    """Make the ending of a job whose phases the parent saw for these milliseconds, and the worker for those."""

    def make(
        seen: Mapping[PhaseName, int],
        told: Mapping[PhaseName, int],
        *,
        samples_ms: int = 100,
        samples_cpu_ms: int = 100,
        cpu_ms: int | None = None,
    ) -> Ending:
        plain = make_report()
        noise = plain.noise.model_copy(update={"cpu_ns": (samples_cpu_ms * MS,)})
        phases = tuple(PhaseCost(name=name, wall_ns=ms * MS, cpu_ns=ms * MS) for name, ms in told.items())
        report = plain.model_copy(update={"samples_ns": (samples_ms * MS,), "noise": noise, "phases": phases})
        events: list[Event] = [HELLO, *(Phase(name=name) for name in seen), report]
        arrivals, now = [0], 0
        for ms in (0, *seen.values()):
            now += ms * MS
            arrivals.append(now)
        cpu_ns = None if cpu_ms is None else cpu_ms * MS
        return Ending("ended", 0, tuple(events), now, arrivals_ns=tuple(arrivals), cpu_ns=cpu_ns)

    return make


def find(spec: JobSpec, ending: Ending) -> str:
    report = ending.events[-1]
    assert isinstance(report, Report)
    return describe_contradiction(spec, ending, report)


ALL = {"build": 300, "warm_up": 250, "steady": 120}


def test_an_honest_report_adds_up(make_spec: MakeSpec, make_known: MakeEnding) -> None:
    spec = make_spec(cpus=(0,))
    assert find(spec, make_known(ALL, ALL, cpu_ms=700)) == ""
    # The phases before the ledger exists, and its own, are never announced.
    assert find(spec, make_known(ALL, {"start": 90, **ALL, "ledger": 20})) == ""


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_samples_that_used_more_cpu_time_than_their_cores_have(
    make_spec: MakeSpec, make_known: MakeEnding, cores: int
) -> None:
    spec = make_spec(cpus=tuple(range(cores)))
    assert find(spec, make_known(ALL, ALL, samples_ms=1000, samples_cpu_ms=1040 * cores)) == ""
    said = find(spec, make_known(ALL, ALL, samples_ms=1000, samples_cpu_ms=1500 * cores))
    many = "1 core" if cores == 1 else f"{cores} cores"
    assert said == f"its samples took 1000 ms and used {1500 * cores} ms of CPU time, more than {many} can give"


def test_a_job_without_cores_of_its_own_may_use_all(make_spec: MakeSpec, make_known: MakeEnding) -> None:
    assert find(make_spec(cpus=()), make_known(ALL, ALL, samples_cpu_ms=9000)) == ""


def test_phases_that_never_began_and_phases_left_out(make_spec: MakeSpec, make_known: MakeEnding) -> None:
    said = find(make_spec(), make_known({"build": 300, "steady": 120}, {"build": 300, "first_call": 9}))
    assert said == "it reports the phases build, first call, but it began build, steady"
    assert find(make_spec(), make_known({}, {"build": 300})) == "it reports the phases build, but it began none"


def test_timed_phases_that_took_longer_by_the_parents_clock(make_spec: MakeSpec, make_known: MakeEnding) -> None:
    late = {"build": 300, "warm_up": 300, "steady": 200}
    assert find(make_spec(), make_known(late, ALL)) == ""  # the parent may be late, or the machine busy
    slow = {"build": 300, "warm_up": 750, "steady": 360}
    said = find(make_spec(), make_known(slow, ALL))
    assert said == (
        "the phases in which its calls were timed took 1110 ms by the clock of its parent, and 370 ms by its own"
    )
    # The ledger reads memory between two phases; what calls are not timed in is not looked at.
    assert find(make_spec(), make_known(slow, {**ALL, "ledger": 700})) == ""
    assert find(make_spec(), make_known({**ALL, "build": 9000}, ALL)) == ""


def test_more_cpu_time_by_the_kernels_account(make_spec: MakeSpec, make_known: MakeEnding) -> None:
    assert find(make_spec(cpus=(0,)), make_known(ALL, ALL, cpu_ms=900)) == ""
    # Nothing is counted between phases: a test's own code, for example.
    late = replace(make_known(ALL, ALL, cpu_ms=2000), wall_ns=(670 + 1100) * MS)
    assert find(make_spec(cpus=(0,)), late) == ""
    said = find(make_spec(cpus=(0,)), make_known(ALL, ALL, cpu_ms=2000))
    assert said == "it used 2000 ms of CPU time by the kernel's account, and 670 ms by its own"


def test_what_was_not_observed_is_not_judged(make_spec: MakeSpec, make_known: MakeEnding) -> None:
    blind = replace(make_known({}, ALL), arrivals_ns=())
    assert find(make_spec(), blind) == ""
    # Without cores of its own, a job may use any number of them between two phases.
    assert find(make_spec(cpus=()), make_known(ALL, ALL, cpu_ms=2000)) == ""


def test_a_contradiction_bars_only_what_would_have_counted(make_spec: MakeSpec, make_known: MakeEnding) -> None:
    spec, ending = make_spec(cpus=(0,)), make_known(ALL, ALL, samples_cpu_ms=500)
    assert classify_ending(spec, ending).outcome == "implausible"
    *before, report = ending.events
    assert isinstance(report, Report)
    off = report.model_copy(update={"verification": report.verification.model_copy(update={"reason": "it is off"})})
    assert classify_ending(spec, replace(ending, events=(*before, off))).outcome == "wrong"


def test_a_second_result_is_garbled(make_spec: MakeSpec, make_known: MakeEnding) -> None:
    ending = make_known(ALL, ALL)
    for extra in (ending.events[-1], Failure(outcome="raised", reason="no")):
        twice = replace(ending, events=(HELLO, extra, *ending.events[1:]), arrivals_ns=(0, *ending.arrivals_ns))
        found = classify_ending(make_spec(), twice)
        assert (found.outcome, found.reason) == ("garbled", "the worker sent more than one result")


def test_the_noise_of_a_report_holds_the_cpu_time_of_each_sample() -> None:
    assert Noise.model_fields["cpu_ns"].is_required()


MODEL = """
    import gc
    import sys
    import time
    import torch

    def find(name):
        return next(found for key, found in sys.modules.items() if key.endswith("workers." + name))

    def slow_down(clock, factor):
        begun = clock()
        return lambda: begun + int((clock() - begun) * factor)

    {cheat}

    class Model(torch.nn.Module):
        def __init__(self, parameters, weights):
            super().__init__()
            self.w = torch.nn.Parameter(weights["w"])
            cheat()
        def forward(self, x): return torch.tanh(x * self.w)
"""
CHEATS = {
    "none": """
    def cheat(): pass
    """,
    "each sample a tenth": """
    def cheat():
        kind = find("measurement.stopwatch").Stopwatch
        real = kind.take_sample
        kind.take_sample = lambda watch, *given: max(1, real(watch, *given) // 10)
    """,
    "a slower clock of phases": """
    def cheat(): time.perf_counter_ns = slow_down(time.perf_counter_ns, 0.2)
    """,
    "a slower clock of the CPU": """
    def cheat(): time.process_time_ns = slow_down(time.process_time_ns, 0.05)
    """,
    "a second report": """
    def cheat():
        channel = find("process.channel").Channel
        real = channel.send
        def send(self, event):
            real(self, event)
            if event.kind == "report":
                real(self, event)
        channel.send = send
    """,
    "phases left out": """
    def cheat():
        channel = find("process.channel").Channel
        real = channel.send
        def send(self, event):
            if event.kind == "report":
                kept = tuple(cost for cost in event.phases if cost.name != "warm_up")
                event = event.model_copy(update={"phases": kept})
            real(self, event)
        channel.send = send
    """,
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("cheat", "outcome", "reason"),
    [
        ("none", "measured", ""),
        ("each sample a tenth", "implausible", "more than 1 core can give"),
        ("a slower clock of phases", "implausible", "by the clock of its parent"),
        ("a slower clock of the CPU", "implausible", "by the kernel's account"),
        ("a second report", "garbled", "more than one result"),
        ("phases left out", "implausible", "but it began"),
    ],
)
def test_a_worker_that_was_tampered_with_does_not_add_up(
    make_spec: MakeSpec, tmp_path: Path, cheat: str, outcome: str, reason: str
) -> None:
    code = dedent(MODEL).replace("{cheat}", dedent(CHEATS[cheat]))
    workload = write_workload(tmp_path / "tampering", "torch", code)
    cell = a_cell("torch:eager", workload="tampering", parameters={}, task="forward", code=workload.code)
    # Time enough that half a core, beside a busy neighbour, leaves CPU time enough to contradict.
    timing = {"samples": 300, "sample_ns": 2 * MS, "warmup_min_ns": 1_200 * MS, "warmup_max_ns": 1_600 * MS}
    spec = make_spec(
        cell, timing=timing, cpus=(0,), variables=ONE_THREAD, source_dir=workload.source_dir, thorough=False
    )
    found = classify_ending(spec, LocalLauncher()(spec, tmp_path / "log", lambda _: None))
    if cheat == "none":  # nothing but the machine's noise could accuse it
        assert found.outcome in ("measured", "nonlinear"), found.reason
    else:
        assert found.outcome == outcome, found.reason
        assert reason in found.reason
