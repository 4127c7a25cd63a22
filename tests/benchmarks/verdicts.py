"""The verdicts of two runs of the same cells beside each other: on which pairs both make a claim, and the same one.

    python -m tests.benchmarks.verdicts docs/results/9b1aa0d4/20261130-154006-1b5efe01-static runs/20261130-232913-sweep

prints how many pairs both runs have, on how many each and both make a claim, and each pair on which their claims are
not the same. A claim is a verdict of FASTER, SLOWER or DIFFERENT-BUT-SMALL.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from orchestrator.analysis.compare import CLAIMS, Verdict
from orchestrator.analysis.run import Run
from orchestrator.records.store import Store


class Pair(NamedTuple):
    """Two cells that were compared, by their computation and their labels."""

    computation: str
    baseline: str
    cell: str


def main() -> None:
    """Print how the verdicts of two runs agree."""
    parser = argparse.ArgumentParser(description="Print how the verdicts of two runs agree.")
    parser.add_argument("runs", nargs=2, type=Path, help="the folders of two runs")
    one, other = (read_verdicts(folder) for folder in parser.parse_args().runs)
    for line in compare_verdicts(one, other):
        print(line)


def read_verdicts(folder: Path) -> dict[Pair, Verdict]:
    """Read the verdicts of a run on all of its pairs."""
    return {
        Pair(group.title, each.baseline, each.cell): each.verdict
        for group in Run.from_store(Store(folder)).groups
        for each in group.comparisons
    }


def compare_verdicts(one: Mapping[Pair, Verdict], other: Mapping[Pair, Verdict]) -> list[str]:
    """Describe on how many pairs both make a claim, and where their claims differ."""
    pairs = sorted(one.keys() & other.keys())
    both = [pair for pair in pairs if one[pair] in CLAIMS and other[pair] in CLAIMS]
    differ = [pair for pair in both if one[pair] != other[pair]]
    claims = [sum(each[pair] in CLAIMS for pair in pairs) for each in (one, other)]
    first = (
        f"{len(pairs)} pairs in both; {claims[0]} and {claims[1]} have a claim, {len(both)} in both; "
        f"{len(both) - len(differ)} of these are the same"
    )
    return [first, *(f"{' '.join(pair)}: {one[pair]} and {other[pair]}" for pair in differ)]


if __name__ == "__main__":
    main()
