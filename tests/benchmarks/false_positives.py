"""How often clones of one cell are told apart: the figures of `selftest --aa`, for as many pairs as one likes.

    python tests/benchmarks/false_positives.py --pairs 300 --load 1

measures 20 experiments of 15 pairs, with one busy process on the cores that the workers do not use.
"""

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from orchestrator import host, selftest
from orchestrator.analysis.clones import BLOCKS
from orchestrator.interrupts import Interrupts
from orchestrator.plan import cpus
from orchestrator.promises.clones import CELLS
from orchestrator.report import truth
from orchestrator.sweep import SweepEvent
from schemas.sweep import Stop, SweepSpec

HOG = Path(__file__).parents[1] / "doubles" / "hog.py"


def main() -> None:
    """Print the rates, with their conditions."""
    asked = arguments()
    others = sorted(set(host.cores()) - set(cpus(1, host.cores())))
    if asked.load and not others:
        sys.exit("--load needs a second core: this machine has one, and that is the workers'")
    stop = Stop(blocks=selftest.enough_blocks(asked.pairs), budget=selftest.NO_LIMIT_S)
    with busy([others[number % len(others)] for number in range(asked.load)]), Interrupts() as interrupts:
        bench = selftest.begin(
            asked.runs, SweepSpec(name="false-positives", stop=stop), CELLS, sys.argv, interrupts, say
        )
        selftest.step_aside()
        trial = selftest.tell_apart(bench)
        bench.end("all experiments were made")
    truth.show_rates(Console(), trial, str(bench.run.jobs))
    print(f"• Busy processes that were added, on the cores that the workers do not use: {asked.load}.")


def say(event: SweepEvent) -> None:
    """Print a line as each experiment begins."""
    if line := truth.experiment(event, BLOCKS):
        print(line, flush=True)


def arguments() -> argparse.Namespace:
    """What was asked."""
    parser = argparse.ArgumentParser(description="How often clones of one cell are told apart.")
    parser.add_argument("--pairs", type=int, default=300, help="at least so many pairs of clones (300)")
    parser.add_argument("--load", type=int, default=0, help="so many busy processes on the other cores (0)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="the folder that holds the runs")
    return parser.parse_args()


@contextlib.contextmanager
def busy(cores: list[int]) -> Iterator[None]:
    """Keep these cores busy meanwhile, each named core with a process of its own."""
    hogs = [subprocess.Popen([sys.executable, str(HOG), str(core)], start_new_session=True) for core in cores]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


if __name__ == "__main__":
    main()
