"""A plan and the folder of its run, measured without a command and without a terminal."""

import dataclasses
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.planned_run import PlannedRun, begin_run, describe_lock_owner
from orchestrator.execution.sweep_events import BlockEnded, BlockStarted, SweepEvent
from orchestrator.machine.affinity import list_cores
from orchestrator.machine.fingerprint import take_fingerprint
from orchestrator.planning.plan import Plan
from orchestrator.processes.signals import Interrupts
from orchestrator.records import store
from orchestrator.registry.workload_template import write_template

QUICK = {"samples": 5, "calls": 1000, "sample_ns": 5_000_000, "warmup_min_ns": 1_000_000}


@pytest.fixture
def begun(make_plan: Callable[..., Plan], tmp_path: Path) -> PlannedRun:
    planned = make_plan("numpy", axes={"workloads": ("synthetic",)}, timing=QUICK, stop={"blocks": 1})
    planned = dataclasses.replace(planned, cores=list_cores()[-1:])
    return begin_run(planned, take_fingerprint(), tmp_path / "runs", ("a", "program"), {})


def test_a_run_begins_with_a_folder_and_is_one_with_its_manifest(begun: PlannedRun, tmp_path: Path) -> None:
    assert begun.folder.folder.parent == tmp_path / "runs"
    begun.write_manifest()
    written = store.find_run(tmp_path / "runs", "latest").read_manifest()
    assert written == begun.manifest
    assert (written.command, written.finished, written.cells) == (("a", "program"), False, begun.plan.cells)


def test_the_jobs_are_run_and_shown_and_their_end_is_recorded(begun: PlannedRun) -> None:
    shown = list[SweepEvent]()
    with Interrupts() as interrupts:
        begun.write_manifest()
        run, early = begun.measure(interrupts, nullcontext(shown.append), Keyboard())
    assert [record.outcome for record in run.records] == ["measured"] * 2
    assert (type(shown[0]), type(shown[-1]), early) == (BlockStarted, BlockEnded, False)
    assert (run.manifest.finished, run.manifest.stopped) == (True, "all 1 blocks were run")
    assert begun.folder.read_manifest() == run.manifest
    assert list(begun.folder.read_records()) == list(run.records)


def test_a_stop_before_the_first_job_is_recorded_as_unfinished(begun: PlannedRun) -> None:
    keys = Keyboard()
    keys.stopping = True
    with Interrupts() as interrupts:
        run, early = begun.measure(interrupts, nullcontext(lambda _event: None), keys)
    assert (early, run.manifest.finished, run.manifest.stopped) == (True, False, "stopped by the user")


def test_the_commit_of_a_users_workload_is_in_the_manifest(make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    write_template("mine", tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(f"{'ab' * 20}\n")
    axes = {"workloads": (str(tmp_path / "mine"), "mlp")}
    planned = dataclasses.replace(make_plan("numpy", axes=axes), cores=list_cores()[-1:])
    begun = begin_run(planned, take_fingerprint(), tmp_path / "runs", (), {})
    begun.write_manifest()
    assert begun.folder.read_manifest().commits == {"mine": "ab" * 20}


def test_without_a_checkout_there_is_no_commit(begun: PlannedRun) -> None:
    assert begun.manifest.commits == {}


def test_a_lock_names_its_owner() -> None:
    assert describe_lock_owner().partition(" ")[0] == str(os.getpid())
