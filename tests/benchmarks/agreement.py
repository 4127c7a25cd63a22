"""Agreement of Plumbline's floor with hand-written loops, side by side, for the modes of the default sweep.

Each block has one job of the tool and one process of `handwritten.py` for each mode, in random order. The script prints
the ratio of tool to hand-written loop, with its signed-rank interval over the blocks.
"""

import math
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestrator.analysis.derivation.samples import compute_floor_ns
from orchestrator.analysis.statistics.intervals import hodges_lehmann
from orchestrator.analysis.statistics.looks import ALPHA
from orchestrator.execution.classify import find_result
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning.plan import Plan, build_plan
from schemas.catalog import DEFAULT_MODES
from schemas.event import Report
from schemas.job import Cell
from schemas.sweep import Axes, SweepSpec

HAND = Path(__file__).with_name("handwritten.py")


def main(blocks: int = 8) -> None:
    """Print one line for each mode."""
    planned = build_plan(
        SweepSpec(axes=Axes(frameworks=DEFAULT_MODES, environment=("current",))), affinity.list_cores()
    )
    logs: dict[str, list[float]] = {label: [] for label in DEFAULT_MODES}
    for block in range(blocks):
        for cell in planned.order_cells(planned.cells[: len(DEFAULT_MODES)], block):
            halves = [lambda cell=cell: by_tool(planned, cell), lambda cell=cell: by_hand(cell.label)]
            first = random.randrange(2)
            times = {first: halves[first](), 1 - first: halves[1 - first]()}
            logs[cell.label].append(math.log(times[0] / times[1]))
    machine = fingerprint.take_fingerprint()
    print(f"{machine.cpu}, {machine.cores} cores; rnn_cell backward, floor of the tool / floor by hand, {blocks} pairs")
    for label, differences in logs.items():
        ratio = hodges_lehmann(differences, ALPHA).exp()
        print(f"{label:20} {ratio.estimate:.3f} ({ratio.low:.3f} to {ratio.high:.3f})")


def by_tool(planned: Plan, cell: Cell) -> float:
    """Return the seconds per call measured by the tool."""
    spec = planned.build_job(cell, 1, 0)
    with tempfile.TemporaryDirectory() as folder:
        ending = LocalLauncher()(spec, Path(folder) / "log", lambda event: None)
    report = find_result(spec, ending)
    assert isinstance(report, Report), ending
    return compute_floor_ns(report) / 1e9


def by_hand(label: str) -> float:
    """Return the seconds per call of the hand-written loop."""
    done = subprocess.run([sys.executable, str(HAND), label], capture_output=True, text=True, check=True)
    return float(done.stdout) / 1e9


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
