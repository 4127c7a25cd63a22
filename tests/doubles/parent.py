"""Stands for an orchestrator that is about to die: runs a worker that hangs, and prints its process id.

Takes the folder for the log as its argument.
"""

import sys
from pathlib import Path

from orchestrator.launchers.local import Local
from schemas.event import Event, Hello
from schemas.job import Cell, JobSpec


def show(event: Event) -> None:
    if isinstance(event, Hello):
        print(event.pid, flush=True)


cell = Cell(framework="synthetic", mode="hang", workload="synthetic", parameters={"spin_ns": 0, "hold_mib": 0})
Local()(JobSpec(cell=cell, block=1, position=0, seed=1, cpus=(), variables={}), Path(sys.argv[1]) / "log", show)
