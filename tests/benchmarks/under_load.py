"""The default question on a quiet machine and under real loads: how often it is answered rightly, and how fast.

Each round asks the question once under each load with each sampling, in random order. The truth is the median ratio of
the sweeps without load. An answer is right if it is a claim in the direction of the truth, where that is beyond the
margin. It is false if it claims the opposite direction, or a difference between the A/A clone and its original.

    python -m tests.benchmarks.under_load ROUNDS RESULTS.jsonl [LOAD ...]
    python -m tests.benchmarks.under_load --report RESULTS.jsonl
"""

import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.machine.affinity import list_cores
from tests.benchmarks.loads import LOADS, run_load

BLOCKS = 9
MARGIN = 0.02
SAMPLINGS = {"20 x 10 ms": "samples = 20\nsample_ns = 10000000", "100 x 1 ms": "samples = 100\nsample_ns = 1000000"}
CLAIMS = {"FASTER", "SLOWER", "DIFFERENT-BUT-SMALL"}
Answer = dict[str, Any]


def ask_question(load: str, sampling: str) -> Answer:
    """Run the default sweep once, with as many blocks as its claims need; return its answer and its duration."""
    cores = list_cores()
    with tempfile.TemporaryDirectory() as folder, run_load(load, cores[-1], cores[0]):
        sweep = Path(folder) / "sweep.toml"
        sweep.write_text(f"[timing]\n{SAMPLINGS[sampling]}\n[stop]\nblocks = {BLOCKS}\nbudget = 1800\n")
        command = [sys.executable, "-m", "orchestrator", "sweep", str(sweep), "--env", "current", "--no-report"]
        start = time.monotonic()
        done = subprocess.run(
            [*command, "--runs", f"{folder}/runs", "--json"], check=False, capture_output=True, text=True
        )
        (group,) = json.loads(done.stdout)["groups"]
    return {
        "load": load,
        "sampling": sampling,
        "seconds": time.monotonic() - start,
        "load_average": os.getloadavg()[0],
        "outcomes": {each["id"]: each["outcome"] for each in group["cells"]},
        "pairs": [
            {key: each[key] for key in ("baseline", "cell", "ratio", "verdict")}
            for each in (*group["comparisons"], group["clone"])
            if each
        ],
    }


def find_truth(answers: Iterable[Answer]) -> Mapping[tuple[str, str], float]:
    """Return the median ratio of each pair over the sweeps without load."""
    ratios = defaultdict(list)
    for answer in answers:
        if answer["load"] == "none":
            for pair in answer["pairs"]:
                ratios[pair["baseline"], pair["cell"]].append(pair["ratio"]["estimate"])
    return {pair: statistics.median(found) for pair, found in ratios.items()}


def judge_pair(pair: Mapping[str, Any], truth: float) -> str:
    """Return whether an answer is right, false, or open."""
    if "(A/A)" in pair["cell"]:
        return "false clone" if pair["verdict"] in CLAIMS else "right clone"
    if pair["verdict"] not in CLAIMS:
        return "open"
    return "right" if (pair["ratio"]["estimate"] < 1) == (truth < 1) else "false"


def print_report(answers: list[Answer]) -> None:
    """Print a line for each load and sampling."""
    truth, told = find_truth(answers), defaultdict(list)
    for answer in answers:
        told[answer["load"], answer["sampling"]].append(answer)
    print("truth:", {f"{cell} over {one}": round(ratio, 3) for (one, cell), ratio in truth.items()})
    for (load, sampling), sweeps in sorted(told.items()):
        judged = [
            judge_pair(pair, truth[pair["baseline"], pair["cell"]])
            for answer in sweeps
            for pair in answer["pairs"]
            if abs(math.log(truth.get((pair["baseline"], pair["cell"]), 1))) > math.log1p(MARGIN)
            or "(A/A)" in pair["cell"]
        ]
        widths = [
            math.log(pair["ratio"]["high"] / pair["ratio"]["low"]) / 2
            for answer in sweeps
            for pair in answer["pairs"]
            if pair["ratio"]["low"] and pair["ratio"]["high"]
        ]
        count = {name: judged.count(name) for name in ("right", "open", "false", "false clone")}
        asked = count["right"] + count["open"] + count["false"]
        print(
            f"{load:8} {sampling:10} {len(sweeps):3} sweeps: right {count['right']}/{asked}, open {count['open']}, "
            f"false {count['false']}, clones told apart {count['false clone']}; half-width "
            f"{100 * statistics.median(widths):.1f} %; {statistics.median(each['seconds'] for each in sweeps):.0f} s"
        )


def main() -> None:
    """Ask and append each answer to the results, or report them."""
    if sys.argv[1] == "--report":
        print_report([json.loads(line) for line in Path(sys.argv[2]).read_text().splitlines()])
        return
    rounds, path, loads = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or [*LOADS]
    for _ in range(rounds):
        each = [(load, sampling) for load in loads for sampling in SAMPLINGS]
        for load, sampling in random.sample(each, len(each)):
            with path.open("a") as results:
                results.write(json.dumps(ask_question(load, sampling)) + "\n")
    print_report([json.loads(line) for line in path.read_text().splitlines()])


if __name__ == "__main__":
    main()
