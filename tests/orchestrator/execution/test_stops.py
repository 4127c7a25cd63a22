"""The time for which a signal stopped a worker is no part of its job: by arithmetic, and with real workers."""

import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.derivation.start_phases import first_result_ns
from orchestrator.environments.lookup import Environments
from orchestrator.execution.job import JobRunner
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.execution.stops import compute_stopped_ns, remove_from_phase, remove_stops
from orchestrator.execution.supervisor import Ending
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.sweep_events import JobEventReceived, SweepEvent
from orchestrator.planning.plan import Plan
from orchestrator.processes.signals import Interrupts
from orchestrator.records import store
from schemas.artefact import Artefact
from schemas.event import Event, Exported, Failure, Hello, Phase, PhaseCost, PhaseName, Report
from schemas.job import Cell, JobSpec
from schemas.record import Host, JobRecord

S = 10**9
HELLO = Hello(pid=1, python="3.11", interpreter="x")
QUICK = {"sample_ns": 10**6, "samples": 5, "warmup_min_ns": 10**6}
SIZES = {"spin_ns": 200_000, "compiled_ns": 200_000, "compile_ns": 10**9, "hold_mib": 0}
STOP_S = 1.5

# From the announcement of a phase to the stop: the worker reads its memory before the phase begins.
DELAY_S = 0.1

MLP = {"input": 3, "width": 4, "depth": 1, "output": 2}

MakeReport = Callable[..., Report]


def cost_of(name: PhaseName, *spans: tuple[int, int]) -> PhaseCost:
    return PhaseCost(name=name, wall_ns=sum(end - start for start, end in spans), cpu_ns=1, spans=spans)


def test_three_minutes_of_stop_make_no_import_of_three_minutes(make_report: MakeReport) -> None:
    costs = cost_of("import", (10 * S, 193 * S)), cost_of("trace", (194 * S, 196 * S))
    report = make_report(phases=costs)
    ending = remove_stops(Ending("ended", 0, (HELLO, report), 1, stops=((12 * S, 192 * S),)))
    last = ending.events[-1]
    assert isinstance(last, Report)
    assert [(cost.wall_ns, cost.stopped_ns) for cost in last.phases] == [(3 * S, 180 * S), (2 * S, 0)]
    assert ending.events[0] == HELLO
    assert first_result_ns(last) == 2 * S


def test_a_phase_loses_what_it_was_stopped_for_in_each_of_its_parts_and_no_more() -> None:
    stops = ((5, 15), (38, 60), (100, 110))
    found = remove_from_phase(cost_of("verify", (0, 10), (20, 30), (35, 45)), stops)
    assert (found.wall_ns, found.stopped_ns) == (30 - 5 - 7, 12)
    unknown = PhaseCost(name="import", wall_ns=9, cpu_ns=1)
    assert remove_from_phase(unknown, stops) == unknown


def test_the_time_to_write_a_file_loses_its_stop_too() -> None:
    artefact = Artefact(path="/x", sha256="ab", size_bytes=3, written_ns=30 * S)
    exported = Exported(artefact=artefact, versions={}, settings=(), phases=(cost_of("export", (0, 30 * S)),))
    ending = remove_stops(Ending("ended", 0, (HELLO, exported), 1, stops=((S, 21 * S),)))
    last = ending.events[-1]
    assert isinstance(last, Exported)
    assert (last.artefact.written_ns, last.phases[0].wall_ns) == (10 * S, 10 * S)


@pytest.mark.parametrize("events", [(), (HELLO,), (HELLO, Failure(outcome="raised", reason="no"))])
def test_an_ending_without_a_result_stays_as_it_is(events: tuple[Event, ...]) -> None:
    ending = Ending("ended", 0, events, 1, stops=((0, 5),))
    assert remove_stops(ending) is ending


@given(st.tuples(*[st.integers(0, 100)] * 4))
def test_a_stop_belongs_to_the_phase_in_which_it_began_as_far_as_counting_says(ends: tuple[int, ...]) -> None:
    (begin, end), (stop, go) = sorted(ends[:2]), sorted(ends[2:])
    counted = len({*range(begin, end)} & {*range(stop, go)})
    assert compute_stopped_ns((begin, end), (stop, go)) == (counted if stop in range(begin, end) else 0)


def test_a_stop_whose_end_is_noticed_late_takes_nothing_from_the_next_phase(make_report: MakeReport) -> None:
    report = make_report(phases=(cost_of("compile", (0, 50)), cost_of("first_call", (51, 90))))
    last = remove_stops(Ending("ended", 0, (HELLO, report), 1, stops=((10, 53),))).events[-1]
    assert isinstance(last, Report)
    assert [(cost.wall_ns, cost.stopped_ns) for cost in last.phases] == [(10, 40), (39, 0)]


class Stopper:
    """Stops a worker in the given phase, once, and continues it after a while."""

    def __init__(self, phase: PhaseName) -> None:
        self.phase, self.pid, self.stopped = phase, 0, False

    def hear(self, event: Event) -> None:
        if isinstance(event, Hello):
            self.pid = event.pid
        if isinstance(event, Phase) and event.name == self.phase and not self.stopped:
            self.stopped = True
            for after_s, number in ((DELAY_S, signal.SIGSTOP), (DELAY_S + STOP_S, signal.SIGCONT)):
                threading.Timer(after_s, os.kill, (self.pid, number)).start()

    def publish(self, event: SweepEvent) -> None:
        if isinstance(event, JobEventReceived):
            self.hear(event.event)


def costs_of(record: JobRecord) -> dict[str, PhaseCost]:
    assert record.report is not None
    return {cost.name: cost for cost in record.report.phases}


@pytest.mark.long
@pytest.mark.parametrize(("mode", "phase"), [("torch:eager", "import"), ("synthetic:compiled", "compile")])
def test_a_real_stop_is_no_part_of_the_phase_that_it_falls_into(
    tmp_path: Path,
    make_cell: Callable[..., Cell],
    make_spec: Callable[..., JobSpec],
    host: Host,
    mode: str,
    phase: PhaseName,
) -> None:
    if mode == "torch:eager" and find_spec("torch") is None:
        pytest.skip("torch, whose import takes a while, is not installed")
    sizes = {"mlp": MLP, "synthetic": SIZES}
    workload = "mlp" if mode == "torch:eager" else "synthetic"
    cell, stopper = make_cell(mode, workload=workload, parameters=sizes[workload]), Stopper(phase)
    spec = make_spec(cell, timing=QUICK, cpus=(), deadline_s=60)
    run = store.create_run(tmp_path, "test", datetime(2025, 1, 1, tzinfo=UTC))
    record = JobRunner(LocalLauncher(), run, host, Environments(), stopper.hear).run_job(spec)
    assert record.outcome == "measured", record.reason
    costs, outside = costs_of(record), record.outside
    assert outside is not None
    lost_ns = costs[phase].stopped_ns
    assert lost_ns is not None
    assert 0.9e9 * STOP_S < lost_ns <= outside.stopped_ns
    assert outside.spawn_to_end_ns > lost_ns
    (span,) = costs[phase].spans
    assert costs[phase].wall_ns + lost_ns == span[1] - span[0]
    assert sum(cost.stopped_ns or 0 for cost in costs.values()) == lost_ns


@pytest.mark.long
def test_a_job_that_is_stopped_while_calls_are_timed_is_run_again(
    tmp_path: Path, make_plan: Callable[..., Plan], host: Host
) -> None:
    axes, long = {"workloads": ("synthetic:spin_ns=200000",)}, QUICK | {"samples": 3000}
    plan = make_plan("synthetic:spin", axes=axes, timing=long, stop={"blocks": 1, "budget": 600}, deadline=60)
    run, stopper = store.create_run(tmp_path, "test", datetime(2025, 1, 1, tzinfo=UTC)), Stopper("steady")
    with Interrupts() as interrupts:
        sweep = Sweep(
            plan=plan,
            launcher=LocalLauncher(interrupts),
            store=run,
            host=host,
            enough=lambda *_: False,
            publish=stopper.publish,
            interrupts=interrupts,
        )
        sweep.run()
    first, again, clone = sweep.records
    assert (first.outcome, first.spec.attempt) == ("stopped", 1)
    assert "during steady, where calls are timed" in first.reason
    assert (again.outcome, again.spec.attempt, again.spec.cell) == ("measured", 2, first.spec.cell)
    assert costs_of(again)["steady"].stopped_ns == 0
    assert clone.outcome == "measured"
