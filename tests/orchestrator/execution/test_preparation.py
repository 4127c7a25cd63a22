"""Expected results and saved models, made before the first block: who needs them, and what a failure costs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.execution.artefacts import ArtefactMaker
from orchestrator.execution.budget import Budget
from orchestrator.execution.preparation import Preparation
from orchestrator.planning.plan import Plan, clone_cell
from orchestrator.records.store import create_run
from schemas.artefact import Artefact
from schemas.event import Exported
from schemas.job import Cell, Export, JobSpec
from schemas.record import Extension, JobRecord, Outcome
from schemas.sweep import SweepSpec

MakeCell = Callable[..., Cell]
LOADS, BUILDS = "onnxruntime:session", "numpy:eager"


@dataclass
class Stage:
    """A preparation, the jobs that it ran, and the cells that it dropped."""

    preparation: Preparation
    ran: list[JobSpec] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    has_room: bool = True
    stopped: bool = False


Prepare = Callable[..., Stage]


@pytest.fixture
def prepare(tmp_path: Path, make_cell: MakeCell, make_record: Callable[..., JobRecord]) -> Prepare:
    """Make the preparation of a cell that loads a model, its clone, and one that builds it; exports end like this."""

    def make(outcome: Outcome = "exported", least_blocks: int = 0, limit_s: float = 100.0) -> Stage:
        loads, builds = (make_cell(label, task="forward") for label in (LOADS, BUILDS))
        spec = SweepSpec()
        asked = (Extension(when="now", stop=spec.stop, blocks=1, least_blocks=least_blocks),)
        plan = Plan(spec, (loads, clone_cell(loads), builds), {}, 1, (0, 1), (), extensions=asked)
        store = create_run(tmp_path, "test", datetime(2025, 1, 1, tzinfo=UTC))

        def run_job(spec: JobSpec) -> JobRecord:
            stage.ran.append(spec)
            assert isinstance(spec.purpose, Export)
            file = Artefact(path=spec.purpose.path, sha256="ab", size_bytes=3)
            result = Exported(artefact=file, versions={}, settings=(), phases=()) if outcome == "exported" else None
            record = make_record(spec=spec, outcome=outcome, reason="no", result=result)
            store.write_record(record)
            return record

        budget = Budget(limit_s, lambda cell: 1.0, lambda: 0.0)
        maker = ArtefactMaker(store, run_job, plan.environments.choose_export_environment)
        stage = Stage(
            Preparation(
                plan,
                maker,
                1,
                budget,
                has_room=lambda cell: stage.has_room,
                is_stopped=lambda: stage.stopped,
                drop_cell=lambda job, failed: stage.dropped.append((job.cell.label, failed.outcome)),
            )
        )
        return stage

    return make


def job_of(stage: Stage, label: str) -> JobSpec:
    plan = stage.preparation.plan
    return plan.build_job(next(cell for cell in plan.runnable if cell.label == label), 1, 0)


def test_only_jobs_that_load_a_model_get_its_file(prepare: Prepare) -> None:
    stage = prepare()
    assert stage.preparation.prepare_cells()
    made = stage.preparation.add_files(job_of(stage, LOADS)).artefact
    assert made is not None
    assert stage.preparation.add_files(job_of(stage, f"{LOADS} (A/A)")).artefact == made
    assert stage.preparation.add_files(job_of(stage, BUILDS)).artefact is None


def test_a_cell_whose_model_cannot_be_saved_is_dropped_with_that_failure(prepare: Prepare) -> None:
    stage = prepare("unsupported")
    assert stage.preparation.prepare_cells()
    assert stage.dropped == [(LOADS, "unsupported"), (f"{LOADS} (A/A)", "unsupported")]


def test_an_interrupted_export_ends_the_preparation(prepare: Prepare) -> None:
    stage = prepare("interrupted")
    assert not stage.preparation.prepare_cells()
    assert len(stage.ran) == 1
    assert stage.dropped == []


def test_a_sweep_that_is_to_stop_prepares_no_further_cell(prepare: Prepare) -> None:
    stage = prepare()
    stage.stopped = True
    assert not stage.preparation.prepare_cells()
    assert len(stage.ran) == 1


def test_without_room_in_the_budget_the_first_job_runs_and_no_other(prepare: Prepare) -> None:
    stage = prepare()
    stage.has_room = False
    first, other = stage.preparation.plan.runnable[0], stage.preparation.plan.runnable[2]
    assert stage.preparation.may_prepare(first)
    stage.preparation.done.add(first.id)
    assert stage.preparation.may_prepare(first)
    assert not stage.preparation.may_prepare(other)


def test_a_cell_for_which_there_is_no_time_is_left_out_and_not_dropped(prepare: Prepare) -> None:
    stage = prepare(limit_s=0.0)
    stage.has_room = False
    assert stage.preparation.prepare_cells()
    assert stage.ran == []
    assert stage.dropped == []
    assert stage.preparation.left_out == {job_of(stage, label).cell.id for label in (LOADS, f"{LOADS} (A/A)")}


def test_blocks_that_are_asked_for_by_their_number_are_prepared_whatever_the_budget(prepare: Prepare) -> None:
    stage = prepare(least_blocks=2, limit_s=0.0)
    stage.has_room = False
    assert stage.preparation.prepare_cells()
    assert stage.preparation.left_out == set()
    assert len(stage.ran) == 1
