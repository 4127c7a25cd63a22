"""The launch of one job, with its parent's observations."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from orchestrator.execution import classify
from orchestrator.execution.launchers import Launcher
from orchestrator.execution.supervisor import Ending
from schemas.event import Event
from schemas.job import JobSpec
from schemas.record import JobObservation


def launch_job(
    launcher: Launcher, spec: JobSpec, log: Path, on_event: Callable[[Event], None]
) -> tuple[Ending, JobObservation]:
    """Run one job to its end, and return how it ended and what the parent observed."""
    started, load = datetime.now().astimezone().isoformat(timespec="milliseconds"), os.getloadavg()[0]
    ending = launcher(spec, log, on_event)
    return ending, classify.outside_from_ending(ending, started, load)
