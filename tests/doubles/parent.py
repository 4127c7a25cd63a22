"""An orchestrator, for tests that kill it: it runs a worker, and prints the worker's process id once that hangs.

A worker that still sent events would notice the broken pipe. The argument is the folder for the log.
"""

import sys
from pathlib import Path

from orchestrator.execution.launchers.local import LocalLauncher
from schemas.event import Event, Hello, Phase
from schemas.job import Cell, JobSpec

pids: list[int] = []


def show(event: Event) -> None:
    match event:
        case Hello(pid=pid):
            pids.append(pid)
        case Phase(name="first_call"):
            print(*pids, flush=True)


cell = Cell(framework="synthetic", mode="hang", workload="synthetic", parameters={"spin_ns": 0, "hold_mib": 0})
LocalLauncher()(JobSpec(cell=cell, block=1, position=0, seed=1, cpus=(), variables={}), Path(sys.argv[1]) / "log", show)
