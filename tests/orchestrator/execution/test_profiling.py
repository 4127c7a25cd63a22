"""Sweeps that profile their cells at the end, with a simulated launcher."""

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.execution.launchers.template_pool import TemplatePool
from orchestrator.execution.supervisor import Ending
from orchestrator.execution.sweep import Sweep
from orchestrator.planning import plan as planning
from orchestrator.planning.plan import Plan
from orchestrator.processes.signals import Interrupts
from orchestrator.records import store
from orchestrator.records.store import Store
from orchestrator.report.sections.profile import build_profile_tables, profiles_to_list
from schemas.artefact import Artefact
from schemas.event import Event, Failure, Hello, Profiled, Report
from schemas.job import Cell, JobSpec, Measure, Profile
from schemas.record import Host
from schemas.sweep import SweepSpec

HELLO = Hello(pid=1, python="3.11", interpreter="x")
COUNTS = {"dispatches": 5.0, "fused groups": 1.5}


def make_profiled(spec: JobSpec) -> Event:
    assert isinstance(spec.purpose, Profile)
    trace = Artefact(path=spec.purpose.path, sha256="ab", size_bytes=3)
    return Profiled(trace=trace, calls=10, counts=COUNTS, versions={}, phases=())


@dataclass
class Actor:
    """A launcher whose jobs are measured, except those of one wrong mode, and whose profiles end as given."""

    report: Report
    look: Callable[[JobSpec], Event] = make_profiled
    launched: list[JobSpec] = field(default_factory=list)

    def __call__(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        self.launched.append(spec)
        failed = Failure(outcome="wrong", reason="off") if spec.cell.mode == "wrong" else self.report
        return Ending("ended", 0, (HELLO, self.look(spec) if isinstance(spec.purpose, Profile) else failed), 10**9)

    @property
    def looks(self) -> list[JobSpec]:
        return [spec for spec in self.launched if isinstance(spec.purpose, Profile)]


Rehearse = Callable[..., Actor]


@pytest.fixture
def run(tmp_path: Path) -> Store:
    return store.create_run(tmp_path, "test", datetime(2025, 1, 1, tzinfo=UTC))


@pytest.fixture
def rehearse(run: Store, host: Host, make_cell: Callable[..., Cell], make_report: Callable[..., Report]) -> Rehearse:
    """Make one sweep over a cell, its clone, and a wrong cell."""

    def make(*, profile: bool = True, **acting: object) -> Actor:
        right, wrong = make_cell("numpy:eager"), make_cell("synthetic:wrong")
        spec = SweepSpec.model_validate({"stop": {"blocks": 2, "budget": 1000}, "profile": profile})
        actor = Actor(make_report(), **acting)  # type: ignore[arg-type]
        with Interrupts() as interrupts:
            Sweep(
                plan=Plan(spec, (right, planning.clone_cell(right), wrong), {}, 1, (0, 1), ()),
                launcher=actor,
                store=run,
                host=host,
                enough=lambda *_: False,
                publish=lambda _: None,
                interrupts=interrupts,
            ).run()
        return actor

    return make


def test_a_sweep_looks_at_nothing_unless_it_is_asked_to(rehearse: Rehearse, run: Store) -> None:
    assert rehearse(profile=False).looks == []
    assert run.read_profiles() == []


def test_each_cell_that_was_measured_is_looked_at_once_when_all_is_measured(rehearse: Rehearse, run: Store) -> None:
    actor = rehearse()
    assert [spec.cell.label for spec in actor.looks] == ["numpy:eager"]
    assert actor.launched[-1] == actor.looks[0]
    (record,) = run.read_profiles()
    assert record.outcome == "profiled"
    assert isinstance(record.result, Profiled)
    assert Path(record.result.trace.path).parent == run.folder.resolve() / "profiles"


def test_what_was_looked_at_is_not_looked_at_again(rehearse: Rehearse) -> None:
    assert len(rehearse().looks) == 1
    assert rehearse().looks == []


def test_a_look_that_fails_is_kept_with_its_reason_and_is_no_job(rehearse: Rehearse, run: Store) -> None:
    rehearse(look=lambda spec: Failure(outcome="unsupported", reason="no profiler"))
    (record,) = run.read_profiles()
    assert (record.outcome, record.reason, record.result) == ("unsupported", "no profiler", None)
    assert {each.spec.purpose for each in run.read_records()} == {Measure()}


def test_counts_stand_in_a_table_and_in_the_document(rehearse: Rehearse, run: Store) -> None:
    rehearse()
    console = Console(file=io.StringIO(), width=80)
    for drawn in build_profile_tables(run.read_profiles()):
        console.print(drawn)
    assert isinstance(console.file, io.StringIO)
    assert "5 dispatches, 1.5 fused groups" in console.file.getvalue()
    (told,) = json.loads(json.dumps(profiles_to_list(run.read_profiles()), allow_nan=False))
    assert (told["label"], told["counts"]) == ("numpy:eager", COUNTS)


class Noting(TemplatePool):
    """A pool that notes the purpose and the start of each job for which templates are opened."""

    opened: list[list[tuple[str, str]]]

    def open_block(self, jobs: Iterable[JobSpec]) -> None:
        self.opened.append([(type(job.purpose).__name__, job.start) for job in jobs])


@pytest.mark.parametrize(("budget", "profiles"), [(1000, 2), (25, 0)])
def test_profiles_are_forked_from_templates_of_their_own_if_the_budget_has_room_for_one(
    run: Store,
    host: Host,
    make_cell: Callable[..., Cell],
    make_report: Callable[..., Report],
    budget: int,
    profiles: int,
) -> None:
    now = iter(range(0, 10_000, 10))
    spec = SweepSpec.model_validate({"stop": {"blocks": 1, "budget": budget}, "profile": True})
    plan, actor = (
        Plan(spec, (make_cell("numpy:eager"), make_cell("synthetic:spin")), {}, 1, (0, 1), ()),
        Actor(make_report()),
    )
    pool = Noting(plan.environments)
    pool.opened = []
    with Interrupts() as interrupts:
        Sweep(
            plan=plan,
            launcher=actor,
            store=run,
            host=host,
            enough=lambda *_: False,
            publish=lambda _: None,
            interrupts=interrupts,
            templates=pool,
            clock=lambda: next(now),
        ).run()
    assert pool.opened == [[("Measure", "fresh")] * 2, *([[("Profile", "template")] * profiles] if profiles else [])]
    assert [job.start for job in actor.looks] == ["template"] * profiles
