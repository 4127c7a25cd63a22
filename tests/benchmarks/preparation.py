"""Preparation of each mode of PyTorch and TensorFlow: tables of its phases, as in docs/reference/modes.md.

The script runs one job for each cell. An entry has the phases before the first result with their seconds, or the
outcome of a failed job. The reason of a failure is printed as the job ends.
Arguments: workloads, then frameworks or modes, each separated by commas.
"""

import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from orchestrator.execution.classify import classify_ending, find_result
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.machine import affinity
from orchestrator.planning.plan import Plan, build_plan
from schemas.event import Report
from schemas.job import Cell
from schemas.sweep import Axes, SweepSpec

WORKLOADS = "rnn_cell,mlp,rnn,rnn:fixed_length=1"
SHOWN = ("trace", "compile", "first_call")


def main(workloads: str = WORKLOADS, frameworks: str = "torch,tensorflow") -> None:
    """Print a row for each mode, with a column for each workload and task."""
    axes = Axes(
        workloads=tuple(workloads.split(",")),
        frameworks=tuple(frameworks.split(",")),
        tasks=("forward", "backward"),
        environment=("current",),
    )
    planned = build_plan(SweepSpec(axes=axes, deadline=600), affinity.list_cores())
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    for cell in planned.cells:
        if not cell.replica:
            rows[cell.label][column(cell)] = entry(planned, cell)
    columns = list(next(iter(rows.values())))
    print("| mode |", " | ".join(columns), "|")
    print("|---" * (len(columns) + 1) + "|")
    for label, found in rows.items():
        print(f"| `{label}` |", " | ".join(found[each] for each in columns), "|")


def column(cell: Cell) -> str:
    """Return the heading of a column: workload and task, and a fixed length of the sequence."""
    fixed = " of one length" if cell.parameters.get("fixed_length") else ""
    return f"{cell.workload}{fixed}, {cell.task}"


def entry(planned: Plan, cell: Cell) -> str:
    """Run one job of a cell, and return the entry of the table."""
    spec = planned.build_job(cell, 1, 0)
    with tempfile.TemporaryDirectory() as folder:
        ending = LocalLauncher()(spec, Path(folder) / "log", lambda event: None)
    judgement, report = classify_ending(spec, ending), find_result(spec, ending)
    if not isinstance(report, Report) or judgement.outcome != "measured":
        print(f"{cell.label}, {column(cell)}: {judgement.outcome}, {judgement.reason}", file=sys.stderr)
        return judgement.outcome
    took = {cost.name: cost.wall_ns / 1e9 for cost in report.phases if cost.name in SHOWN}
    return ", ".join(f"{name.replace('_', ' ')} {seconds:.2g} s" for name, seconds in took.items())


if __name__ == "__main__":
    main(*sys.argv[1:])
