"""Overhead of Plumbline per job, beyond the framework's import and the job's productive phases.

Each pair is a real torch:eager job, launched, classified and stored as in a sweep, and then a bare import of torch.
For each pair: (spawn to record on disk) - (the job's productive phases other than import) - (the bare import). The bare
import skips the interpreter's tear-down, as a worker does; with it, torch takes almost half a second more.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.execution.job import JobRunner
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning.plan import build_plan
from orchestrator.processes.signals import Interrupts
from orchestrator.records import store
from schemas.sweep import Axes, SweepSpec

PAIRS = 20

# Unproductive phases: starting the interpreter and Plumbline's imports, assembling the report, reading memory.
OURS = {"start", "report", "ledger"}


def main() -> None:
    """Print the median over the pairs, with its parts."""
    planned = build_plan(
        SweepSpec(axes=Axes(frameworks=("torch:eager",), environment=("current",))), affinity.list_cores()
    )
    machine, cell = fingerprint.take_fingerprint(), planned.cells[0]
    outside, added, starts = [], [], []
    with tempfile.TemporaryDirectory() as root, Interrupts() as interrupts:
        run = store.create_run(Path(root), "overhead", datetime.now(UTC))
        jobs = JobRunner(LocalLauncher(interrupts), run, machine, planned.environments)
        for pair in range(PAIRS):
            start = time.perf_counter_ns()
            record = jobs.run_job(planned.build_job(cell, pair + 1, 0))
            job_ns = time.perf_counter_ns() - start
            start = time.perf_counter_ns()
            subprocess.run([sys.executable, "-c", "import os, torch; os._exit(0)"], check=True)
            bare_ns = time.perf_counter_ns() - start
            assert record.report is not None, record.reason
            phases = {cost.name: cost.wall_ns for cost in record.report.phases if cost.name not in OURS}
            outside.append((job_ns - sum(phases.values())) / 1e6)
            added.append((job_ns - (sum(phases.values()) - phases["import"]) - bare_ns) / 1e6)
            starts.append((phases["import"], bare_ns))
    print(f"{machine.cpu}, {machine.cores} cores; {PAIRS} pairs of torch:eager rnn_cell backward; medians")
    print(f"spawn to record on disk, minus the job's productive phases: {statistics.median(outside):.0f} ms")
    print(
        f"import phase {statistics.median(a for a, _ in starts) / 1e6:.0f} ms, bare import of torch in a separate "
        f"process {statistics.median(b for _, b in starts) / 1e6:.0f} ms"
    )
    print(f"added to a bare import and the job's other productive phases: {statistics.median(added):.0f} ms")


if __name__ == "__main__":
    main()
