"""Ways to run one job in one fresh process. Each makes the same promise: one Ending, and nothing left running."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from orchestrator.supervise import Ending
from schemas.event import Event
from schemas.job import JobSpec


class Launcher(Protocol):
    """Runs a job where it should run, and returns when it has ended, however it ended."""

    def __call__(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        """Run one job, with its standard error in `log`, and hand on each event as it comes."""
