"""Sampling schemes, on a quiet machine and under load: the spread of floors between processes, and their bias.

Every block runs each mode once with every scheme, in random order and in fresh processes. The bias is the ratio of
floors to those of the first scheme, in pairs within blocks.

    python -m tests.benchmarks.sampling [--load none,bursts,...] [--blocks 10] [--modes torch:eager,...]
"""

import argparse
import math
import os
import random
import statistics
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.analysis.statistics.intervals import hodges_lehmann
from orchestrator.execution.job import JobRunner
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning.plan import build_plan
from orchestrator.processes.signals import Interrupts
from orchestrator.records import store
from schemas.job import Timing
from schemas.sweep import Axes, SweepSpec
from tests.benchmarks.loads import LOADS, run_load

SCHEMES = {
    "20 x 10 ms": Timing(samples=20, sample_ns=10_000_000),
    "50 x 2 ms": Timing(samples=50, sample_ns=2_000_000),
    "100 x 1 ms": Timing(samples=100, sample_ns=1_000_000),
    "300 x 0.3 ms": Timing(samples=300, sample_ns=300_000),
}
MODES = "torch:eager,torch:trace,tensorflow:function,tensorflow:eager"


def measure_floors(modes: tuple[str, ...], workload: str, load: str, blocks: int) -> dict[tuple[str, str], list[float]]:
    """Return the logarithms of the floors of each mode and scheme, one for each block."""
    asked = SweepSpec(axes=Axes(frameworks=modes, workloads=(workload,), environment=("current",)))
    cores = affinity.list_cores()
    planned, machine = build_plan(asked, cores), fingerprint.take_fingerprint()
    floors = defaultdict[tuple[str, str], list[float]](list)
    with tempfile.TemporaryDirectory() as root, Interrupts() as interrupts, run_load(load, cores[-1], cores[0]):
        run = store.create_run(Path(root), "sampling", datetime.now(UTC))
        jobs = JobRunner(LocalLauncher(interrupts), run, machine, planned.environments)
        for block in range(1, blocks + 1):
            order = [(cell, scheme) for cell in planned.cells if not cell.replica for scheme in SCHEMES]
            for position, (cell, scheme) in enumerate(random.sample(order, len(order))):
                spec = planned.build_job(cell, block, position).model_copy(update={"timing": SCHEMES[scheme]})
                record = jobs.run_job(spec)
                assert record.report is not None, record.reason
                floors[cell.label, scheme].append(math.log(min(record.report.samples_ns) / record.report.calls))
    return floors


def main() -> None:
    """Print a table for each load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--load", default="none,bursts")
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--modes", default=MODES)
    parser.add_argument("--workload", default="rnn_cell")
    said = parser.parse_args()
    modes = tuple(said.modes.split(","))
    for load in said.load.split(","):
        assert load in LOADS, load
        start = time.monotonic()
        floors = measure_floors(modes, said.workload, load, said.blocks)
        print(
            f"\nload: {load}; {said.workload}, {said.blocks} blocks in {time.monotonic() - start:.0f} s, "
            f"load average {os.getloadavg()[0]:.1f}"
        )
        first = next(iter(SCHEMES))
        for (mode, scheme), logs in sorted(floors.items(), key=lambda each: each[0][0]):
            pairs = [one - other for one, other in zip(logs, floors[mode, first], strict=True)]
            ratio = hodges_lehmann(pairs, 0.05).exp()
            print(
                f"{mode:22} {scheme:14} floor {math.exp(statistics.median(logs)):12,.0f} ns  spread "
                f"{statistics.stdev(logs):.4f}  to {first}: {ratio.estimate:.4f} ({ratio.low:.4f}-{ratio.high:.4f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
