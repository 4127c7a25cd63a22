"""False positives among clones of one cell: the figures of `selftest --aa`, for any number of pairs.

    python tests/benchmarks/false_positives.py --pairs 300 --load 1

measures 20 experiments of 15 pairs, with one busy process on the cores that the workers leave free.
"""

import argparse
import contextlib
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from orchestrator.execution.sweep_events import SweepEvent
from orchestrator.machine import affinity
from orchestrator.report import false_positives
from orchestrator.selftest import run
from orchestrator.selftest.checks.aa import CELLS
from orchestrator.selftest.false_positives import EXPERIMENT_BLOCKS
from schemas.sweep import Stop, SweepSpec

HOG = Path(__file__).parents[1] / "doubles" / "hog.py"


def main() -> None:
    """Print the rates, with their conditions."""
    asked = arguments()
    others = affinity.list_cores()[:-1]  # of equally quiet cores, the self-test takes the last
    if asked.load and not others:
        sys.exit("--load needs a second core, but this machine has only one, which the workers use: omit --load")
    stop = Stop(blocks=count_needed_blocks(asked.pairs), budget=run.NO_LIMIT_S)
    spec = SweepSpec(name="false-positives", stop=stop)
    with (
        busy([others[number % len(others)] for number in range(asked.load)]),
        run.open_selftest(asked.runs, spec, CELLS, sys.argv, say) as selftest,
    ):
        trial = run.measure_clones(selftest)
        selftest.record_ending("all experiments were made")
    false_positives.show_rates(Console(), trial, str(selftest.run.jobs_folder))
    print(f"• Added busy processes, on the cores that the workers leave free: {asked.load}.")


def count_needed_blocks(pairs: int) -> int:
    """Return how many blocks yield at least that number of pairs of clones."""
    return EXPERIMENT_BLOCKS * math.ceil(pairs / math.comb(len(CELLS), 2))


def say(event: SweepEvent) -> None:
    """Print a line as each experiment begins."""
    if line := false_positives.format_experiment_start(event, EXPERIMENT_BLOCKS):
        print(line, flush=True)


def arguments() -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(description="Measure the rate at which clones of one cell are told apart.")
    parser.add_argument("--pairs", type=int, default=300, help="the least number of pairs of clones (300)")
    parser.add_argument("--load", type=int, default=0, help="the number of busy processes on the other cores (0)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="the folder that holds the runs")
    return parser.parse_args()


@contextlib.contextmanager
def busy(cores: list[int]) -> Iterator[None]:
    """Keep these cores busy meanwhile, with one process for each entry."""
    hogs = [subprocess.Popen([sys.executable, str(HOG), str(core)], start_new_session=True) for core in cores]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


if __name__ == "__main__":
    main()
