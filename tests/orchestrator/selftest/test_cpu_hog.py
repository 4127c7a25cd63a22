"""CPU hogs run while a job runs, on its cores and nowhere else, and are gone afterwards."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orchestrator.execution.launchers import Launcher
from orchestrator.execution.supervisor import Ending
from orchestrator.machine.affinity import list_cores
from orchestrator.processes.signals import Interrupts
from orchestrator.selftest.cpu_hog import HoggedLauncher, ManualInterrupts, run_hog
from schemas.event import Event, Phase
from schemas.job import Cell, JobSpec

MakeSpec = Callable[..., JobSpec]
MakeCell = Callable[..., Cell]

OVER = Ending("ended", 0, (), 1)


class Stage:
    """Launcher of hogs that only act, until they are interrupted; it records what happens."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.hogs: list[JobSpec] = []

    def launch(self, bell: Interrupts) -> Launcher:
        def act(spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
            self.hogs.append(spec)
            self.happened.append("hog")
            on_event(Phase(name="warm_up"))
            while bell.received is None:
                time.sleep(0.001)
            self.happened.append("hog ended")
            return OVER

        return act

    def job(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        self.happened.append("job")
        return OVER


def test_only_the_named_cells_run_beside_a_hog(make_spec: MakeSpec, make_cell: MakeCell) -> None:
    stage, one, other = Stage(), make_cell("numpy:eager"), make_cell("synthetic:spin")
    launcher = HoggedLauncher(stage.job, frozenset({one.id}), stage.launch)
    for cell in (one, other):
        assert launcher(make_spec(cell), Path("log"), lambda _: None) == OVER
    assert stage.happened == ["hog", "job", "hog ended", "job"]


def test_a_hog_gets_the_cores_of_the_job_and_works_for_longer_than_any_job(make_spec: MakeSpec) -> None:
    stage = Stage()
    with run_hog(make_spec(cpus=(1,), deadline_s=5), stage.launch):
        pass
    assert stage.hogs[0].cpus == (1,)
    assert stage.hogs[0].deadline_s > 1000


def test_a_hog_ends_also_when_the_job_raises(make_spec: MakeSpec) -> None:
    stage = Stage()
    with pytest.raises(KeyboardInterrupt), run_hog(make_spec(), stage.launch):
        raise KeyboardInterrupt
    assert stage.happened == ["hog", "hog ended"]


def test_a_hog_that_cannot_start_holds_nobody_up(make_spec: MakeSpec) -> None:
    came_back = False
    with run_hog(make_spec(), lambda bell: lambda spec, log, on_event: OVER):
        came_back = True
    assert came_back


def test_a_bell_interrupts_without_a_signal() -> None:
    with ManualInterrupts() as bell:
        assert bell.received is None
        bell.interrupt()
        assert bell.received is not None


@pytest.mark.measures
def test_a_real_hog_is_busy_on_the_core_of_the_job_alone_and_leaves_nothing_behind(make_spec: MakeSpec) -> None:
    before, core = set(psutil.Process().children()), list_cores()[-1]
    with run_hog(make_spec(cpus=(core,))):
        started = set(psutil.Process().children()) - before
        start, earlier = time.monotonic(), {process: read_cpu_time(process) for process in started}
        time.sleep(0.5)
        passed = time.monotonic() - start
        used = {process: read_cpu_time(process) - earlier[process] for process in started}
        busy = max(used, key=lambda process: used[process])
        assert busy.cpu_affinity() == [core]
    idle = sum(used.values()) - used[busy]  # its judge sleeps
    assert used[busy] > 0.1 * passed > idle
    assert not any(process.is_running() for process in started)
    assert set(psutil.Process().children()) == before


def read_cpu_time(process: psutil.Process) -> float:
    """Return the CPU time that a process has used, in seconds."""
    return sum(process.cpu_times()[:2])
