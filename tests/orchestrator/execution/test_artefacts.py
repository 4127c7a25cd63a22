"""Sweeps whose cells load exported models, with a simulated launcher."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.environments.lookup import Environments
from orchestrator.execution.supervisor import Ending
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.sweep_events import JobEventReceived, JobStarted, SweepEvent, UnmeasuredJobEnded
from orchestrator.planning import grid
from orchestrator.planning.plan import Plan, clone_cell
from orchestrator.planning.request import resolve_request
from orchestrator.processes.signals import STOP_SIGNALS, Interrupts
from orchestrator.records import store
from orchestrator.records.store import Store
from orchestrator.registry import workload_template, workloads
from schemas.artefact import Artefact
from schemas.event import Event, Exported, Failure, Hello, Phase, Report
from schemas.job import Cell, ComputeReference, Export, JobSpec, Measure
from schemas.record import Host, JobRecord
from schemas.sweep import SweepSpec

HELLO, EXPORT = Hello(pid=1, python="3.11", interpreter="x"), Phase(name="export")
LOADS, BUILDS = "onnxruntime:session", "numpy:eager"
REFUSED = Failure(outcome="unsupported", reason="a loop")
RAISED = Failure(outcome="raised", reason="ValueError: no")


def exported_path(spec: JobSpec) -> str:
    """The file that a job exports a model to; empty if it does something else."""
    return spec.purpose.path if isinstance(spec.purpose, Export) else ""


def expected_path(spec: JobSpec) -> str:
    """The file that a job writes expected results to; empty if it does something else."""
    return spec.purpose.path if isinstance(spec.purpose, ComputeReference) else ""


def find_exported(record: JobRecord) -> Exported:
    assert isinstance(record.result, Exported)
    return record.result


def make_exported(spec: JobSpec) -> Event:
    written = Artefact(path=exported_path(spec) or expected_path(spec), sha256="ab", size_bytes=3)
    return Exported(artefact=written, versions={}, settings=(), phases=())


@dataclass
class Actor:
    """A launcher whose exports end with a given event, and whose jobs are measured."""

    report: Report
    ending: Callable[[JobSpec], Event] = make_exported
    how: str = "ended"
    status: int = 0
    launched: list[JobSpec] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)

    def __call__(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        self.launched.append(spec)
        self.logs.append(log)
        making = not isinstance(spec.purpose, Measure)
        if making and self.status:
            return Ending("ended", self.status, (HELLO, EXPORT), 10**9)
        events = (HELLO, EXPORT, self.ending(spec)) if making else (HELLO, self.report)
        for event in events:
            on_event(event)
        interrupted = making and self.how == "interrupted"
        return Ending("interrupted" if interrupted else "ended", 0, events, 10**9)

    def launched_for(self, label: str) -> list[JobSpec]:
        return [spec for spec in self.launched if spec.cell.label.startswith(label)]


@dataclass
class Rehearsal:
    """One sweep over a cell that loads a model, its clone, and a cell that builds one."""

    sweep: Sweep
    actor: Actor
    published: list[SweepEvent]


Rehearse = Callable[..., Rehearsal]


@pytest.fixture
def run(tmp_path: Path) -> Store:
    return store.create_run(tmp_path, "test", datetime(2025, 1, 1, tzinfo=UTC))


@pytest.fixture
def rehearse(run: Store, host: Host, make_cell: Callable[..., Cell], make_report: Callable[..., Report]) -> Rehearse:
    def make(plan: Plan | None = None, **acting: object) -> Rehearsal:
        loads, builds = (make_cell(label, task="forward") for label in (LOADS, BUILDS))
        spec = SweepSpec.model_validate({"stop": {"blocks": 2, "budget": 1000}})
        plan = plan or Plan(spec, (loads, clone_cell(loads), builds), {}, 1, (0, 1), ())
        actor = Actor(make_report(), **acting)  # type: ignore[arg-type]
        published: list[SweepEvent] = []
        sweep = Sweep(
            plan=plan,
            launcher=actor,
            store=run,
            host=host,
            enough=lambda records, block: False,
            publish=published.append,
            interrupts=Interrupts(STOP_SIGNALS),
        )
        return Rehearsal(sweep, actor, published)

    return make


def test_a_cell_is_exported_once_before_anything_is_measured_and_its_clone_loads_the_same(rehearse: Rehearse) -> None:
    stage = rehearse()
    assert stage.sweep.run() == "all 2 blocks were run"
    first, *jobs = stage.actor.launched
    assert exported_path(first)
    assert {job.purpose for job in jobs} == {Measure()}
    assert len(jobs) == 6
    assert len({job.artefact for job in jobs if job.cell.label.startswith(LOADS)}) == 1


def test_a_job_carries_the_artefact_that_it_loads_and_so_does_its_record(rehearse: Rehearse, run: Store) -> None:
    stage = rehearse()
    stage.sweep.run()
    (export,) = run.read_artefact_records()
    for record in run.read_records():
        due = find_exported(export).artefact if record.spec.cell.label.startswith(LOADS) else None
        assert record.spec.artefact == due


def test_an_export_has_its_record_its_log_and_its_file_in_a_folder_of_their_own(rehearse: Rehearse, run: Store) -> None:
    stage = rehearse()
    stage.sweep.run()
    (export,) = run.read_artefact_records()
    assert (export.outcome, export.spec) == ("exported", stage.actor.launched[0])
    assert export.outside is not None
    assert export.outside.last_phase == "export"
    assert {Path(exported_path(export.spec)).parent, stage.actor.logs[0].parent} == {run.folder / "artefacts"}
    assert {record.spec.purpose for record in run.read_records()} == {Measure()}


def test_what_an_exporter_says_is_spoken_of(rehearse: Rehearse) -> None:
    stage = rehearse()
    stage.sweep.run()
    assert EXPORT in [event.event for event in stage.published if isinstance(event, JobEventReceived)]


def test_the_beginning_and_the_end_of_an_export_are_published_once(rehearse: Rehearse, run: Store) -> None:
    stage = rehearse()
    stage.sweep.run()
    begun = [each.spec for each in stage.published if isinstance(each, JobStarted) and exported_path(each.spec)]
    ended = [each.record for each in stage.published if isinstance(each, UnmeasuredJobEnded)]
    assert begun == [record.spec for record in ended]
    assert ended == run.read_artefact_records()


@pytest.mark.parametrize(("failure", "outcome"), [(REFUSED, "unsupported"), (RAISED, "raised")])
def test_a_cell_that_cannot_be_exported_says_why_once_and_is_not_run(
    rehearse: Rehearse, run: Store, failure: Failure, outcome: str
) -> None:
    stage = rehearse(ending=lambda spec: failure)
    stage.sweep.run()
    assert [spec.cell.label for spec in stage.actor.launched] == [LOADS, BUILDS, BUILDS]
    records = [record for record in run.read_records() if record.spec.cell.label == LOADS]
    assert [(record.outcome, record.reason, record.outside) for record in records] == [(outcome, failure.reason, None)]
    assert ("stderr.log" in records[0].advice) == (outcome == "raised")


def test_a_signal_during_an_export_ends_the_sweep_and_the_export_is_made_again_in_the_next(
    rehearse: Rehearse, run: Store
) -> None:
    assert rehearse(how="interrupted").sweep.run() == "a job was interrupted"
    assert [record.outcome for record in run.read_artefact_records()] == ["interrupted"]
    assert run.read_records() == []
    rehearse().sweep.run()
    assert [record.outcome for record in run.read_artefact_records()] == ["exported"]


def test_what_this_run_has_exported_already_is_not_exported_again(rehearse: Rehearse) -> None:
    rehearse().sweep.run()
    again = rehearse()
    again.sweep.run()
    assert not any(exported_path(spec) for spec in again.actor.launched)


SAME_FILE: list[Mapping[str, object]] = [
    {},
    {"mode": "int8-dynamic"},
    {"framework": "openvino", "mode": "compiled"},
    {"threads": 2},
    {"cache": "warm"},
    {"tuning": "jemalloc"},
]
OTHER_FILES = [
    {"batch": 2},
    {"dtype": "float64"},
    {"shapes": "stream"},
    {"environment": sys.executable},
    {"framework": "executorch", "mode": "xnnpack"},
    {"framework": "litert", "mode": "interpreter"},
]


def make_plan(make_cell: Callable[..., Cell], changes: Sequence[Mapping[str, object]]) -> Plan:
    cell = make_cell(LOADS, task="forward")
    cells = tuple(cell.model_copy(update=change) for change in changes)
    return Plan(SweepSpec.model_validate({"stop": {"blocks": 1, "budget": 1000}}), cells, {}, 1, (0, 1), ())


def test_all_cells_that_load_the_same_model_load_one_file(rehearse: Rehearse, make_cell: Callable[..., Cell]) -> None:
    stage = rehearse(make_plan(make_cell, SAME_FILE))
    stage.sweep.run()
    (export,) = [spec for spec in stage.actor.launched if exported_path(spec)]
    loaded = [job.artefact for job in stage.actor.launched if not exported_path(job)]
    assert [artefact.path for artefact in loaded if artefact] == [exported_path(export)] * len(SAME_FILE)


@pytest.mark.parametrize("change", OTHER_FILES, ids=str)
def test_another_computation_format_or_environment_has_a_file_of_its_own(
    rehearse: Rehearse, make_cell: Callable[..., Cell], change: Mapping[str, object]
) -> None:
    stage = rehearse(make_plan(make_cell, [{}, change]))
    stage.sweep.run()
    made = {spec.cell.id: exported_path(spec) for spec in stage.actor.launched if exported_path(spec)}
    assert len(set(made.values())) == 2
    jobs = [job for job in stage.actor.launched if not exported_path(job)]
    assert {job.cell.id: job.artefact.path for job in jobs if job.artefact} == made


def test_a_model_that_cannot_be_exported_is_the_reason_of_every_cell_that_needs_it(
    rehearse: Rehearse, make_cell: Callable[..., Cell], run: Store
) -> None:
    stage = rehearse(make_plan(make_cell, SAME_FILE), ending=lambda spec: REFUSED)
    stage.sweep.run()
    assert len(stage.actor.launched) == 1
    assert [(record.outcome, record.reason) for record in run.read_records()] == [
        ("unsupported", REFUSED.reason)
    ] * len(SAME_FILE)


@pytest.fixture
def refereed(tmp_path: Path) -> Plan:
    """A sweep over two batch sizes of a user's workload whose reference is its own implementation in PyTorch."""
    folder = workload_template.write_template("mine", tmp_path)
    said = folder / "workload.toml"
    said.write_text(said.read_text().replace("# reference", "reference"))
    mine = workloads.load_workload_folder(folder)
    spec = SweepSpec.model_validate(
        {
            "axes": {
                "workloads": (str(folder),),
                "frameworks": ("jax:jit", "torch:eager", "onnxruntime"),
                "batch": (1, 2),
                "tasks": ("forward",),
            },
            "stop": {"blocks": 1, "budget": 1000},
        }
    )
    cells = grid.expand_request(resolve_request(spec, Environments()))
    return Plan(spec, (*cells, clone_cell(cells[0])), {}, 1, (0, 1), (), {"mine": mine})


def test_what_cells_must_give_is_worked_out_once_for_all_that_compute_the_same(
    rehearse: Rehearse, refereed: Plan
) -> None:
    stage = rehearse(refereed)
    stage.sweep.run()
    referees = [spec for spec in stage.actor.launched if expected_path(spec)]
    assert [(spec.cell.label, spec.cell.batch, spec.cell.replica) for spec in referees] == [
        ("torch:eager", 1, 0),
        ("torch:eager", 2, 0),
    ]
    for spec in stage.actor.launched:
        due = {referee.cell.batch: expected_path(referee) for referee in referees}[spec.cell.batch]
        assert spec.reference == "torch"
        if isinstance(spec.purpose, Measure):
            assert spec.expected is not None
            assert spec.expected.path == due
    first_job = next(at for at, spec in enumerate(stage.actor.launched) if isinstance(spec.purpose, Measure))
    assert {spec.purpose for spec in stage.actor.launched[first_job:]} == {Measure()}


def test_what_a_cell_loads_and_what_it_must_give_are_two_files_with_a_record_each(
    rehearse: Rehearse, refereed: Plan, run: Store
) -> None:
    stage = rehearse(refereed)
    stage.sweep.run()
    written = [
        (record.spec.purpose.kind, Path(find_exported(record).artefact.path).suffix)
        for record in run.read_artefact_records()
    ]
    assert sorted(written) == [("export", ".onnx")] * 2 + [("reference", ".npz")] * 2
    for spec in stage.actor.launched_for("onnxruntime")[2:]:
        assert spec.artefact is not None
        assert spec.artefact != spec.expected


def test_a_referee_that_fails_speaks_once_for_every_cell_that_needs_it(
    rehearse: Rehearse, refereed: Plan, run: Store
) -> None:
    stage = rehearse(refereed, ending=lambda spec: RAISED)
    assert stage.sweep.run() == "no cell was left that could be measured"
    assert all(expected_path(spec) for spec in stage.actor.launched)
    assert len(stage.actor.launched) == 2
    records = run.read_records()
    assert len(records) == len(refereed.cells)
    reason = "its reference, torch in float64, failed: ValueError: no"
    assert {(record.outcome, record.reason) for record in records} == {("raised", reason)}


def test_a_run_that_goes_on_is_held_to_what_it_was_held_to(rehearse: Rehearse, refereed: Plan, run: Store) -> None:
    assert rehearse(refereed, how="interrupted").sweep.run() == "a job was interrupted"
    assert run.read_records() == []
    rehearse(refereed).sweep.run()
    again = rehearse(refereed)
    again.sweep.run()
    assert not any(expected_path(spec) for spec in again.actor.launched)
    assert all(spec.expected for spec in again.actor.launched)


def test_what_a_mode_has_saved_is_trusted_from_no_other_process(
    rehearse: Rehearse, make_cell: Callable[..., Cell]
) -> None:
    cell = make_cell("torch:eager", task="forward", origin="file")
    spec = SweepSpec.model_validate({"stop": {"blocks": 2, "budget": 1000}})
    plan = Plan(spec, (cell, clone_cell(cell)), {}, 1, (0, 1), ())
    for _ in range(2):
        stage = rehearse(plan)
        stage.sweep.run()
        assert [bool(exported_path(job)) for job in stage.actor.launched] == [True, False, False, False, False]


def test_a_run_that_was_moved_has_its_files_where_it_is_now(rehearse: Rehearse, run: Store, tmp_path: Path) -> None:
    rehearse().sweep.run()
    moved = Store(run.folder.rename(tmp_path / "moved"))
    (record,) = moved.read_artefact_records()
    assert Path(find_exported(record).artefact.path).parent == tmp_path / "moved" / "artefacts"


def test_an_export_whose_record_is_damaged_is_made_again(rehearse: Rehearse, run: Store) -> None:
    first = rehearse()
    first.sweep.run()
    (record,) = run.folder.glob("artefacts/*.json")
    record.write_text("{")
    again = rehearse()
    again.sweep.run()
    assert [exported_path(job) for job in again.actor.launched_for(LOADS)][:1] == [
        exported_path(job) for job in first.actor.launched_for(LOADS)
    ][:1]
    assert len(run.read_artefact_records()) == 1


def test_an_export_that_somebody_killed_is_made_once_more(rehearse: Rehearse) -> None:
    stage = rehearse(status=-15)
    stage.sweep.run()
    assert [bool(exported_path(job)) for job in stage.actor.launched_for(LOADS)] == [True, True]
    crashed = rehearse(status=-11)
    crashed.sweep.run()
    assert [bool(exported_path(job)) for job in crashed.actor.launched_for(LOADS)] == [True]
