"""A busy process on a job's own cores while the job runs: a disturbance on purpose, to see whether it is noticed.

The hog is a worker like any other, in a process group of its own and started in the same way. So it takes the cores
that it is told to and no others, dies with this process, and is ended as a worker is.
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

from orchestrator.interrupts import Interrupts
from orchestrator.launchers import Launcher
from orchestrator.launchers.local import Local
from orchestrator.supervise import Ending
from schemas.event import Event, Phase
from schemas.job import Cell, JobSpec, Timing

HOUR_NS: Final = 3_600_000_000_000
SPINNING: Final = Cell(
    framework="synthetic", mode="spin", workload="synthetic", parameters={"spin_ns": 10_000_000, "hold_mib": 0}
)
FOR_HOURS: Final = Timing(warmup_min_ns=HOUR_NS, warmup_max_ns=HOUR_NS)

Launch = Callable[[Interrupts], Launcher]


class Bell(Interrupts):
    """An interruption that does not come from a signal: rung by this program, from whichever thread."""

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._writer.close()

    def ring(self) -> None:
        """Interrupt whoever listens."""
        self.received = signal.SIGTERM
        self._writer.send(b"!")


@dataclass(frozen=True, slots=True)
class Hogged:
    """Launches the jobs of some cells, by id, beside a hog, and those of the others as they are."""

    launcher: Launcher
    cells: frozenset[str]
    launch: Launch = Local

    def __call__(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        """Run one job."""
        if spec.cell.id not in self.cells:
            return self.launcher(spec, log, on_event)
        with hog(spec, self.launch):
            return self.launcher(spec, log, on_event)


@contextmanager
def hog(job: JobSpec, launch: Launch = Local) -> Iterator[None]:
    """Keep the cores of a job busy from the beginning of the block to its end, however it ends."""
    spec = job.model_copy(update={"cell": SPINNING, "timing": FOR_HOURS, "deadline_s": HOUR_NS / 1e9})
    busy = threading.Event()

    def heard(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "warm_up":
            busy.set()

    def keep_busy() -> None:
        try:
            launch(bell)(spec, Path(os.devnull), heard)
        finally:
            busy.set()

    with Bell() as bell:
        # A worker dies with the thread that made it, so this thread stays until the hog has ended.
        thread = threading.Thread(target=keep_busy)
        thread.start()
        try:
            busy.wait()
            yield
        finally:
            bell.ring()
            thread.join()
