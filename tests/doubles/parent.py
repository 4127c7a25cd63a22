"""An orchestrator, for tests that kill it: it runs a worker, and prints the ids of its processes once that hangs.

A worker that still sent events would notice the broken pipe. The arguments are the folder for the log, and how the job
starts: `fresh` or `template`. The id of a template comes first.
"""

import sys
from pathlib import Path

from orchestrator.environments.lookup import Environments
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.execution.launchers.template_pool import TemplatePool
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
# With one thread, no library starts another when it is imported.
variables = {"OPENBLAS_NUM_THREADS": "1"}
job = JobSpec.model_validate(
    {"cell": cell, "block": 1, "position": 0, "seed": 1, "cpus": (), "variables": variables, "start": sys.argv[2]}
)
pool = TemplatePool(Environments())
pool.open_block([job])
if job.start == "template":
    pids.append(pool.find_template(job).process.pid)
LocalLauncher(templates=pool)(job, Path(sys.argv[1]) / "log", show)
