"""Launchers, which run one job in one fresh process. Each returns one Ending and leaves nothing running."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from orchestrator.execution.supervisor import Ending
from schemas.event import Event
from schemas.job import JobSpec


class Launcher(Protocol):
    """A launcher: it runs a job in the right place and returns when the job has ended in any way."""

    def __call__(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        """Run one job, with its standard error in `log`, and pass on each event as it arrives."""
