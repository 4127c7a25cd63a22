"""Sweeps in which cells load what was exported before, over a launcher that only acts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator import plan as planning
from orchestrator import store
from orchestrator.interrupts import STOPPING, Interrupts
from orchestrator.plan import Plan
from orchestrator.store import Store
from orchestrator.supervise import Ending
from orchestrator.sweep import JobSaid, Sweep, SweepEvent
from schemas.artefact import Artefact
from schemas.event import Event, Exported, Failure, Hello, Phase, Report
from schemas.job import Cell, JobSpec
from schemas.record import Host
from schemas.sweep import SweepSpec

HELLO, EXPORT = Hello(pid=1, python="3.11", interpreter="x"), Phase(name="export")
LOADS, BUILDS = "onnxruntime:session", "numpy:eager"
REFUSED = Failure(outcome="unsupported", reason="a loop")
RAISED = Failure(outcome="raised", reason="ValueError: no")


def exported(spec: JobSpec) -> Event:
    return Exported(artefact=Artefact(path=spec.export, sha256="ab", size_bytes=3), versions={}, settings=(), phases=())


@dataclass
class Actor:
    """A launcher whose exports end with what it is told, and whose jobs are measured."""

    report: Report
    ending: Callable[[JobSpec], Event] = exported
    how: str = "ended"
    launched: list[JobSpec] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)

    def __call__(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        self.launched.append(spec)
        self.logs.append(log)
        events = (HELLO, EXPORT, self.ending(spec)) if spec.export else (HELLO, self.report)
        for event in events:
            on_event(event)
        interrupted = spec.export and self.how == "interrupted"
        return Ending("interrupted" if interrupted else "ended", 0, events, 10**9)

    def of(self, label: str) -> list[JobSpec]:
        return [spec for spec in self.launched if spec.cell.label.startswith(label)]


@dataclass
class Rehearsal:
    """One sweep over a cell that loads, its clone, and a cell that builds."""

    sweep: Sweep
    actor: Actor
    published: list[SweepEvent]


Rehearse = Callable[..., Rehearsal]


@pytest.fixture
def run(tmp_path: Path) -> Store:
    return store.create(tmp_path, "test", datetime(2025, 1, 1, tzinfo=UTC))


@pytest.fixture
def rehearse(run: Store, host: Host, make_cell: Callable[..., Cell], make_report: Callable[..., Report]) -> Rehearse:
    def make(**acting: object) -> Rehearsal:
        loads, builds = (make_cell(label, task="forward") for label in (LOADS, BUILDS))
        spec = SweepSpec.model_validate({"stop": {"blocks": 2, "budget": 1000}})
        plan = Plan(spec, (loads, planning.clone(loads), builds), {}, 1, (0, 1), ())
        actor = Actor(make_report(), **acting)  # type: ignore[arg-type]
        published: list[SweepEvent] = []
        sweep = Sweep(
            plan=plan, launcher=actor, store=run, host=host, enough=lambda records, block: False,
            publish=published.append, interrupts=Interrupts(STOPPING),
        )  # fmt: skip
        return Rehearsal(sweep, actor, published)

    return make


def test_a_cell_is_exported_once_before_anything_is_measured_and_its_clone_loads_the_same(rehearse: Rehearse) -> None:
    stage = rehearse()
    assert stage.sweep.run() == "all 2 blocks were run"
    first, *jobs = stage.actor.launched
    assert first.export
    assert not any(job.export for job in jobs)
    assert len(jobs) == 6
    assert len({job.artefact for job in jobs if job.cell.label.startswith(LOADS)}) == 1


def test_a_job_carries_the_artefact_that_it_loads_and_so_does_its_record(rehearse: Rehearse, run: Store) -> None:
    stage = rehearse()
    stage.sweep.run()
    (export,) = run.exports()
    assert export.exported is not None
    for record in run.records():
        due = export.exported.artefact if record.spec.cell.label.startswith(LOADS) else None
        assert record.spec.artefact == due


def test_an_export_has_its_record_its_log_and_its_file_in_a_folder_of_their_own(rehearse: Rehearse, run: Store) -> None:
    stage = rehearse()
    stage.sweep.run()
    (export,) = run.exports()
    assert (export.outcome, export.spec, export.outside.last_phase) == ("exported", stage.actor.launched[0], "export")
    assert {Path(export.spec.export).parent, stage.actor.logs[0].parent} == {run.folder / "artefacts"}
    assert all(not record.spec.export for record in run.records())


def test_what_an_exporter_says_is_spoken_of(rehearse: Rehearse) -> None:
    stage = rehearse()
    stage.sweep.run()
    assert EXPORT in [event.event for event in stage.published if isinstance(event, JobSaid)]


@pytest.mark.parametrize(("failure", "outcome"), [(REFUSED, "unsupported"), (RAISED, "raised")])
def test_a_cell_that_cannot_be_exported_says_why_once_and_is_not_run(
    rehearse: Rehearse, run: Store, failure: Failure, outcome: str
) -> None:
    stage = rehearse(ending=lambda spec: failure)
    stage.sweep.run()
    assert [spec.cell.label for spec in stage.actor.launched] == [LOADS, BUILDS, BUILDS]
    records = [record for record in run.records() if record.spec.cell.label == LOADS]
    assert [(record.outcome, record.reason, record.outside) for record in records] == [(outcome, failure.reason, None)]
    assert ("stderr.log" in records[0].advice) == (outcome == "raised")


def test_a_signal_during_an_export_ends_the_sweep_and_the_export_is_made_again_in_the_next(
    rehearse: Rehearse, run: Store
) -> None:
    assert rehearse(how="interrupted").sweep.run() == "a job was interrupted"
    assert [record.outcome for record in run.exports()] == ["interrupted"]
    assert run.records() == []
    rehearse().sweep.run()
    assert [record.outcome for record in run.exports()] == ["exported"]


def test_what_this_run_has_exported_already_is_not_exported_again(rehearse: Rehearse) -> None:
    rehearse().sweep.run()
    again = rehearse()
    again.sweep.run()
    assert not any(spec.export for spec in again.actor.launched)
