"""Durations of questions, from the command to the verdict: sweeps with one set of options or another, in turn.

    python tests/benchmarks/durations.py 5 "" "--start fresh"
    python tests/benchmarks/durations.py 1 "--suite static --blocks 9" "--suite static --blocks 9 --start fresh"

Each set of options is asked once a round, in random order. For each the script prints its median duration, its blocks
and jobs, and how many pairs have a claim; and for each but the first, on how many claims it agrees with the first.
"""

import argparse
import json
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.analysis.compare import CLAIMS
from orchestrator.records.store import find_run

Pair = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """One sweep: its duration in seconds, the blocks and jobs it needed, and the verdict of each pair."""

    took_s: float
    blocks: int
    jobs: int
    verdicts: Mapping[Pair, str]

    @property
    def claims(self) -> Mapping[Pair, str]:
        """The verdicts that claim a difference."""
        return {pair: verdict for pair, verdict in self.verdicts.items() if verdict in CLAIMS}


def main() -> None:
    """Ask each set of options so many times, and print a line for each."""
    parser = argparse.ArgumentParser(description="Print how long sweeps take, and whether they agree.")
    parser.add_argument("rounds", type=int, help="how often each is asked")
    parser.add_argument("options", nargs="+", help='options of `sweep`; "" for the default question')
    asked = parser.parse_args()
    answers: dict[str, list[Answer]] = {options: [] for options in asked.options}
    print(f"load at the start: {os.getloadavg()[0]:.1f}", flush=True)
    for _ in range(asked.rounds):
        for options in random.sample(asked.options, len(asked.options)):
            answers[options].append(ask_question(shlex.split(options)))
            print(f"{answers[options][-1].took_s:.0f} s: sweep {options}", flush=True)
    for options, given in answers.items():
        print(describe_answers(options, given, answers[asked.options[0]]))


def ask_question(options: Sequence[str]) -> Answer:
    """Run a sweep in a folder of its own and read its answer."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "orchestrator", "sweep", *options, "--runs", runs, "--no-report", "--json"]
        began_s = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took_s = time.monotonic() - began_s
        if not done.stdout:
            sys.exit(done.stderr)
        said = json.loads(done.stdout)
        jobs = find_run(Path(runs), said["run"]).read_records()
    verdicts = {
        (group["title"], pair["baseline"], pair["cell"]): str(pair["verdict"])
        for group in said["groups"]
        for pair in group["comparisons"]
    }
    return Answer(took_s, max(record.spec.block for record in jobs), len(jobs), verdicts)


def describe_answers(options: str, given: Sequence[Answer], first: Sequence[Answer]) -> str:
    """Describe the answers to one set of options, beside those to the first."""
    took, blocks, jobs = (
        statistics.median(values)
        for values in zip(*((each.took_s, each.blocks, each.jobs) for each in given), strict=True)
    )
    claims = sum(len(each.claims) for each in given)
    said = (
        f"sweep {options}: median {took:.0f} s of {len(given)}, {blocks:.0f} blocks, {jobs:.0f} jobs; "
        f"{claims} of {sum(len(each.verdicts) for each in given)} pairs have a claim"
    )
    if given is first:
        return said
    both = [
        one.claims[pair] == other.claims[pair]
        for one, other in zip(first, given, strict=True)
        for pair in one.claims.keys() & other.claims.keys()
    ]
    return f"{said}; {sum(both)} of {len(both)} claims are those of the first"


if __name__ == "__main__":
    main()
