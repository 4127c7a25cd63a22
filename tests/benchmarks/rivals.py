"""Verdicts of Plumbline beside those of pyperf and of torch.utils.benchmark, on the same callables, in one run.

    python -m tests.benchmarks.rivals --rounds 3
    python -m tests.benchmarks.rivals --question

The first pair is a step of a recurrent network in NumPy against itself. The second pads that step to 200 µs, and to
210 µs, five per cent more. Each tool measures in its usual way, in separate processes. pyperf uses `timeit` and
`compare_to`; torch uses `Timer.blocked_autorange` in one process for each, and `Compare`.

With `--question`, Plumbline answers its default question, and pyperf times the same callables and compares each with
the first.
"""

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.analysis.compare import CLAIMS
from orchestrator.analysis.stopping import should_stop
from orchestrator.environments.lookup import Environments
from orchestrator.format import format_ratio, format_ratio_range
from orchestrator.machine import fingerprint
from orchestrator.planning.grid import expand_request
from orchestrator.planning.request import resolve_request
from orchestrator.selftest.check import compare_cells, make_real_cell
from orchestrator.selftest.run import NO_LIMIT_S, open_selftest
from schemas.catalog import THREAD_VARIABLES
from schemas.job import Cell
from schemas.sweep import Stop, SweepSpec
from tests.benchmarks.durations import ask_question
from tests.benchmarks.other_tools import torch_differs

HERE = Path(__file__).parent
TARGET = 0.02
MOST_BLOCKS = 16


def held(hold_ns: int) -> Cell:
    """Return a cell of the synthetic framework for the same step, padded to this many nanoseconds."""
    sizes = {"hidden": 20, "input": 10, "spin_ns": hold_ns}
    return Cell(framework="synthetic", mode="spin", workload="rnn_cell", parameters=sizes)


PAIRS: Mapping[str, tuple[Cell, Cell]] = {
    "identical (ratio 1)": (make_real_cell(20), make_real_cell(20, replica=1)),
    "5 % longer (ratio 1.05)": (held(200_000), held(210_000)),
}


@dataclass(frozen=True)
class Said:
    """A tool's answer for a pair: True if they differ, its figures, and the seconds it took."""

    differ: bool
    figures: str
    took_s: float


Tool = Callable[[Cell, Cell, Path], tuple[bool, str]]


def main() -> None:
    """Print a line for each tool and pair, round by round, and then the number of differences that each tool found."""
    lacking = [package for package in ("pyperf", "torch") if find_spec(package) is None]
    if lacking:
        sys.exit(f"{' and '.join(lacking)} not found; install with: pip install 'plumbline-ml[rivals,torch]'")
    parser = argparse.ArgumentParser(description="Compare verdicts with those of pyperf and torch.utils.benchmark.")
    parser.add_argument("--rounds", type=int, default=1, help="the number of times to measure everything (1)")
    parser.add_argument("--fast", action="store_true", help="let pyperf use fewer processes, as its --fast does")
    parser.add_argument("--question", action="store_true", help="ask the default question instead, by two tools")
    asked = parser.parse_args()
    tools: Mapping[str, Tool] = {"Plumbline": by_us, "pyperf": partial(by_pyperf, fast=asked.fast), "torch": by_torch}
    machine = fingerprint.take_fingerprint()
    print(f"{machine.cpu}, {machine.cores} cores, Python {machine.python}; each tool with its own defaults")
    if asked.question:
        for _ in range(asked.rounds):
            ask_default_question(fast=asked.fast)
        return
    heard = [(pair, tool, said) for _ in range(asked.rounds) for pair in PAIRS for tool, said in around(pair, tools)]
    for pair in PAIRS:
        counts = ", ".join(f"{tool} {tally(heard, pair, tool)}" for tool in tools)
        print(f"{pair}: rounds with a difference, out of {asked.rounds}: {counts}")


def tally(heard: Sequence[tuple[str, str, Said]], pair: str, tool: str) -> int:
    """Return the number of rounds in which a tool found a difference."""
    return sum(said.differ for each, by, said in heard if (each, by) == (pair, tool))


def around(pair: str, tools: Mapping[str, Tool]) -> list[tuple[str, Said]]:
    """Measure a pair with each tool, and print and return the answers."""
    print(f"\n{pair}")
    return [(tool, asked(tool, measure, *PAIRS[pair])) for tool, measure in tools.items()]


def asked(name: str, measure: Tool, one: Cell, other: Cell) -> Said:
    """Measure one pair with one tool, in a separate folder."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        differ, figures = measure(one, other, Path(folder))
    said = Said(differ, figures, time.monotonic() - start)
    print(f"  {name:10} {'differ' if differ else 'no difference':14} {said.took_s:5.0f} s  {figures}", flush=True)
    return said


def ask_default_question(*, fast: bool) -> None:
    """Print Plumbline's verdicts on the default question and pyperf's of the same callables, and how long each took."""
    ours = ask_question(["--env", "current"])
    print(f"\nPlumbline: {ours.took_s:.0f} s, {ours.blocks} blocks")
    for (_, against, label), verdict in ours.verdicts.items():
        print(f"  {label} against {against}: {verdict}")
    baseline, *others = expand_request(resolve_request(SweepSpec(), Environments()))
    began_s, said = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        files = {cell.label: Path(folder, f"{number}.json") for number, cell in enumerate((baseline, *others))}
        for cell in (baseline, *others):
            time_by_pyperf(cell, files[cell.label], fast=fast)
        said = [(each.label, compare_by_pyperf(files[baseline.label], files[each.label])) for each in others]
    print(f"pyperf: {time.monotonic() - began_s:.0f} s")
    for label, figures in said:
        print(f"  {label} {figures}")


def by_us(one: Cell, other: Cell, folder: Path) -> tuple[bool, str]:
    """Measure blocks of fresh processes until the ratio is known to two per cent, at most sixteen."""
    cells = (one, other)
    spec = SweepSpec(name="rivals", stop=Stop(blocks=MOST_BLOCKS, budget=NO_LIMIT_S))
    with open_selftest(folder, spec, cells, sys.argv) as selftest:
        records = selftest.measure_cells(
            spec, cells, enough=lambda records, block: should_stop(block, compare_cells(cells, records), TARGET)
        )
    if selftest.interrupts.received:
        sys.exit(130)
    (found,) = compare_cells(cells, records)
    shown = (
        f"{found.verdict}: {format_ratio(found.ratio.estimate)} "
        f"({format_ratio_range(found.ratio)}), {found.blocks} blocks"
    )
    return found.verdict in CLAIMS, shown


def by_pyperf(one: Cell, other: Cell, folder: Path, *, fast: bool) -> tuple[bool, str]:
    """Run the real pyperf: `timeit` for each, then `compare_to`."""
    for cell, file in ((one, "one.json"), (other, "other.json")):
        time_by_pyperf(cell, folder / file, fast=fast)
    said = compare_by_pyperf(folder / "one.json", folder / "other.json")
    return "not significant" not in said, said


def time_by_pyperf(cell: Cell, file: Path, *, fast: bool) -> None:
    """Let pyperf time a cell's step in processes of its own, and write what it measured to a file."""
    setup = f"from rivals_step import of; step, inputs = of({cell.model_dump_json()!r})"
    names = ",".join(["PYTHONPATH", *THREAD_VARIABLES])
    timing = ["--name", "step", "--quiet", f"--inherit-environ={names}", "--output", str(file)]
    run(["-m", "pyperf", "timeit", *timing, *(["--fast"] if fast else []), "--setup", setup, "step(*inputs)"])


def compare_by_pyperf(one: Path, other: Path) -> str:
    """Return in one line what pyperf says of two files."""
    return " ".join(run(["-m", "pyperf", "compare_to", str(one), str(other)]).split())


def by_torch(one: Cell, other: Cell, folder: Path) -> tuple[bool, str]:
    """Run the real torch.utils.benchmark: a `Timer` for each in a separate process, then `Compare`."""
    from torch.utils.benchmark import Compare

    for cell, name in ((one, "one"), (other, "other")):
        run([str(HERE / "rivals_step.py"), cell.model_dump_json(), str(folder / name)])
    taken: list[Any] = [pickle.loads((folder / name).read_bytes()) for name in ("one", "other")]
    compare = Compare(taken)
    compare.trim_significant_figures()
    _, *printed = next(line.split("|") for line in str(compare).splitlines() if line.strip().startswith("step"))
    differ = torch_differs(*(1e9 * np.array(each.times) for each in taken))
    intervals = f"intervals of its precision {'are disjoint' if differ else 'overlap'}"
    return differ, f"Compare prints {' and '.join(number.strip() for number in printed)} µs; {intervals}"


def run(arguments: Sequence[str]) -> str:
    """Run Python with these arguments, one thread and the project on its path, and return its output."""
    one_thread = {name: text.format(threads=1) for name, text in THREAD_VARIABLES.items()}
    environment = {**os.environ, **one_thread, "PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{HERE}"}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments[:3])} failed: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
