"""False positives of `compare` between runs of the same sweep, made one after the other on one machine.

    python tests/benchmarks/over_time.py --runs 10

makes ten short sweeps of seven cells, each of eight blocks, and compares all 45 pairs. The cells need only NumPy. With
--of FOLDER it makes no runs, and compares those in the folder.
"""

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from orchestrator.analysis.compare import CLAIMS
from orchestrator.analysis.statistics.intervals import clopper_pearson
from orchestrator.comparison.compare import Compared, compare_sides
from orchestrator.machine import fingerprint

SWEEP = """\
name = "over-time"
[axes]
frameworks = ["numpy"]
workloads = ["rnn_cell", "mlp", "rnn:length=8"]
batch = [1, 32]
[[include]]
framework = "synthetic:spin"
workload = "synthetic"
[timing]
samples = 20
sample_ns = 5000000
warmup_min_ns = 50000000
[stop]
blocks = 8
"""


def main() -> None:
    """Make the runs, compare them all, and print the figures with their conditions."""
    asked = arguments()
    with tempfile.TemporaryDirectory() as made:
        folder = asked.of or Path(made)
        if asked.of is None:
            make(folder, asked.runs)
        names = sorted(path.parent.name for path in folder.glob("*/manifest.json"))
        pairs = list(combinations(names, 2))
        for words, at_face_value in (("allowing for the runs", False), ("at face value", True)):
            tell(words, [compare_sides(folder, *pair, at_face_value=at_face_value) for pair in pairs])
    machine = fingerprint.take_fingerprint()
    print(f"{len(names)} runs; {machine.cpu}, {machine.cores} cores, {machine.system}, Python {machine.python}")


def make(folder: Path, runs: int) -> None:
    """Run the same sweep this many times."""
    file = folder / "over-time.toml"
    file.write_text(SWEEP)
    for number in range(1, runs + 1):
        print(f"run {number} of {runs} ...", flush=True)
        command = [sys.executable, "-m", "orchestrator", "sweep", str(file), "--runs", str(folder), "--json"]
        subprocess.run(command, check=True, capture_output=True)


def tell(words: str, found: Sequence[Compared]) -> None:
    """Print how many of these comparisons make a claim, how far the runs shifted, and how wide the intervals are."""
    changes = [change for compared in found for change in compared.changes]
    disturbed = sum("C" in (change.before.grade, change.after.grade) for change in changes)
    claimed = sum(any(change.verdict in CLAIMS for change in compared.changes) for compared in found)
    share = clopper_pearson(claimed, len(found))
    moved = [compared.together for compared in found if compared.together is not None]
    widths = [math.log(change.time.claimed.high / change.time.claimed.low) / 2 for change in changes]
    alone = sum(change.verdict in CLAIMS for change in changes)
    print(
        f"{words}: {claimed} of {len(found)} pairs of runs claim a difference, {share.estimate:.1%} "
        f"({share.low:.1%} to {share.high:.1%}), {alone} of {len(changes)} cells ({disturbed} graded C); "
        f"median half-width {statistics.median(widths):.2%}; from run to run the cells shifted by "
        f"{statistics.median(abs(each.common) for each in moved):.2%} together, with a spread of "
        f"{statistics.median(each.spread for each in moved):.2%}"
    )


def arguments() -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(description="Measure the rate at which compare tells runs of one sweep apart.")
    parser.add_argument("--runs", type=int, default=10, help="the number of runs (10)")
    parser.add_argument("--of", type=Path, help="compare the runs in this folder instead of making new ones")
    return parser.parse_args()


if __name__ == "__main__":
    main()
