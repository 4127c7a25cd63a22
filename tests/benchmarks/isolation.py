"""Benefit of a fresh process: the same cell alone, after another framework in one process, and as a job.

Each block has three arms in random order:

- `alone` runs the job's steps in a fresh process without the orchestrator;
- `after` does the same in a process that has first run another framework's cell;
- `own` is a job of the tool.

The script prints medians over the blocks, and the ratio of times to `own` with its interval.
"""

import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from orchestrator.analysis.derivation.memory import compute_memory_metrics
from orchestrator.analysis.derivation.samples import compute_floor_ns
from orchestrator.analysis.statistics.intervals import hodges_lehmann
from orchestrator.analysis.statistics.looks import ALPHA
from orchestrator.execution.classify import find_result
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.execution.launchers.worker_command import make_variables
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning.plan import Plan, build_plan
from schemas.event import Report
from schemas.job import JobSpec
from schemas.sweep import Axes, MemoryMetric, SweepSpec

PAIRS = (("torch:eager", "tensorflow:function"), ("tensorflow:function", "torch:eager"))
SHOWN: tuple[MemoryMetric, ...] = ("import", "static", "step_peak", "footprint")
MIB = 1 << 20

IN_ONE_PROCESS = """
import sys
from schemas.job import JobSpec
from workers.tasks import measure as job
from workers.measurement.phases import Ledger
from workers.measurement.stopwatch import carry_out
for line in sys.stdin.read().splitlines():
    report = carry_out(job.run(JobSpec.model_validate_json(line), Ledger(lambda phase: None)))
print(report.model_dump_json())
"""


def main(blocks: int = 8) -> None:
    """Print one table for each pair of cells."""
    axes = Axes(frameworks=("torch:eager", "tensorflow:function"), environment=("current",))
    planned = build_plan(SweepSpec(axes=axes), affinity.list_cores())
    machine = fingerprint.take_fingerprint()
    print(f"{machine.cpu}, {machine.cores} cores; rnn_cell backward, {blocks} blocks; medians")
    for label, other in PAIRS:
        found = measured(planned, label, other, blocks)
        print(f"\n{label}\n{'':30}{'floor':>10}{'ratio to own':>25}" + "".join(f"{name:>12}" for name in SHOWN))
        for arm, reports in found.items():
            differences = [
                math.log(compute_floor_ns(one) / compute_floor_ns(own))
                for one, own in zip(reports, found["own"], strict=True)
            ]
            ratio = hodges_lehmann(differences, ALPHA).exp()
            time_us = 1e6 * statistics.median(compute_floor_ns(report) / 1e9 for report in reports)
            each = [compute_memory_metrics(report) for report in reports]
            sizes = "".join(f"{statistics.median(one[name] for one in each) / MIB:8.1f} MiB" for name in SHOWN)
            shown = "" if arm == "own" else f"{ratio.estimate:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
            print(f"{arm:30}{time_us:7.1f} us{shown:>25}{sizes}")


def measured(planned: Plan, label: str, other: str, blocks: int) -> dict[str, list[Report]]:
    """Return each arm's reports, block by block."""
    cells = {cell.label: cell for cell in planned.cells}
    found: dict[str, list[Report]] = {"own": [], "alone": [], f"after {other}": []}
    for block in range(1, blocks + 1):
        spec, before = (planned.build_job(cells[name], block, 0) for name in (label, other))
        arms: dict[str, Callable[[], Report]] = {
            "own": lambda spec=spec: as_job(spec),  # type: ignore[misc]  # mypy knows no defaults of lambdas
            "alone": lambda spec=spec: in_one_process(spec),  # type: ignore[misc]
            f"after {other}": lambda spec=spec, before=before: in_one_process(before, spec),  # type: ignore[misc]
        }
        for arm in random.sample(list(arms), len(arms)):
            found[arm].append(arms[arm]())
    return found


def as_job(spec: JobSpec) -> Report:
    """Run a job as the tool does, and return its report."""
    with tempfile.TemporaryDirectory() as folder:
        ending = LocalLauncher()(spec, Path(folder) / "log", lambda event: None)
    report = find_result(spec, ending)
    assert isinstance(report, Report), ending
    return report


def in_one_process(*specs: JobSpec) -> Report:
    """Run these jobs in one process without the orchestrator, and return the report of the last."""
    inherited = {name: value for spec in specs for name, value in make_variables({}, spec).items()}
    done = subprocess.run(
        [sys.executable, "-P", "-c", IN_ONE_PROCESS],
        input="\n".join(spec.model_dump_json() for spec in specs),
        env=inherited,
        capture_output=True,
        text=True,
        check=True,
    )
    return Report.model_validate(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
