"""CPU hog: a busy process on a job's cores while the job runs, to test whether this disturbance is noticed.

The hog is an ordinary worker, started in the same way and in a separate process group. It therefore runs only on the
given cores, dies with this process, and is ended as a worker is.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from orchestrator.execution.launchers import Launcher
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.execution.supervisor import Ending
from orchestrator.processes.signals import Interrupts
from schemas.event import Event, Phase
from schemas.job import Cell, JobSpec, Timing

HOUR_NS: Final = 3_600_000_000_000
SPINNING_CELL: Final = Cell(
    framework="synthetic", mode="spin", workload="synthetic", parameters={"spin_ns": 10_000_000, "hold_mib": 0}
)
# The hog warms up for an hour: it is busy throughout, and never reaches the measurement.
ENDLESS_TIMING: Final = Timing(warmup_min_ns=HOUR_NS, warmup_max_ns=HOUR_NS)

LauncherFactory = Callable[[Interrupts], Launcher]


class ManualInterrupts(Interrupts):
    """Interruption that this program causes itself, from any thread, instead of a signal."""

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._writer.close()

    def interrupt(self) -> None:
        """Interrupt everything that watches this object."""
        self.received = signal.SIGTERM  # before the byte, which wakes the readers of this value
        self._writer.send(b"!")


@dataclass(frozen=True, slots=True)
class HoggedLauncher:
    """Launcher that runs the jobs of some cells, by id, beside a hog, and all others alone."""

    launcher: Launcher
    cells: frozenset[str]
    launch: LauncherFactory = LocalLauncher

    def __call__(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        """Run one job."""
        if spec.cell.id not in self.cells:
            return self.launcher(spec, log, on_event)
        with run_hog(spec, self.launch):
            return self.launcher(spec, log, on_event)


@contextmanager
def run_hog(job: JobSpec, launch: LauncherFactory = LocalLauncher) -> Iterator[None]:
    """Keep the cores of a job busy from the beginning of the block to its end, even if it raises."""
    spec = job.model_copy(update={"cell": SPINNING_CELL, "timing": ENDLESS_TIMING, "deadline_s": HOUR_NS / 1e9})
    busy = threading.Event()

    def on_hog_event(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "warm_up":
            busy.set()

    def keep_busy() -> None:
        try:
            launch(interrupts)(spec, Path(os.devnull), on_hog_event)
        finally:
            busy.set()  # a hog that cannot start must not block the job

    with ManualInterrupts() as interrupts:
        # A worker dies with the thread that made it, so this thread stays until the hog has ended.
        thread = threading.Thread(target=keep_busy)
        thread.start()
        try:
            # A job that began while the hog still imports would be measured undisturbed.
            busy.wait()
            yield
        finally:
            interrupts.interrupt()
            thread.join()
