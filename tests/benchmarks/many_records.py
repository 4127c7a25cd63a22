"""Runs of very many records with a known truth: how long they take to load, conclude and show, and in what memory.

    python -m tests.benchmarks.many_records 1000 10000 100000

For each number of records, a run is made whose cells are in groups of five: in each, the second mode is 3 % slower than
the first, the third as fast, the fourth twice and the fifth ten times as slow. For the history, as many records are in
twenty daily runs, and from the eleventh on the third mode of each group is a fifth slower. Each step is a process of
its own, so that its time and its memory are its own; a table has both, the number of pairs whose verdict is the known
one, and the number of modes whose step was found at its run.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from orchestrator.analysis.run import Run
from orchestrator.cli.app import main as run_command
from orchestrator.comparison.history import trace_history
from orchestrator.execution.job_summary import add_summary
from orchestrator.records import store
from orchestrator.records.store import Store, job_name
from orchestrator.report.page.vega import bundle_vega
from schemas.event import Report
from schemas.job import Cell, JobSpec
from schemas.record import Host, JobRecord, Manifest

NOON: Final = datetime(2025, 1, 1, 12, tzinfo=UTC)
BLOCKS: Final = 20
SAMPLES: Final = 100
CALL_NS: Final = 50_000.0
NOISE: Final = 0.002

# Runs of a history, the number of those before the step, the step, and the mode that has it.
DAYS: Final = 20
STEP_DAY: Final = 10
STEP: Final = 1.2
STEPPED: Final = "torch:script"
# So many cells in each run of a history at most: of more than about 400 no step can be found.
MAX_HISTORY_CELLS: Final = 200

# The modes of a group with their times relative to the first, and the verdict of each against the first.
TRUTH: Final[Mapping[str, tuple[float, str]]] = {
    "torch:eager": (1.0, ""),
    "torch:trace": (1.03, "SLOWER"),
    "torch:script": (1.0, "EQUIVALENT"),
    "tensorflow:function": (2.0, "SLOWER"),
    "tensorflow:eager": (10.0, "SLOWER"),
}

HOST: Final = Host(cpu="a CPU", cores=2, memory_bytes=1 << 34, system="Linux 6.1.0 x86_64", python="3.11.0")


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a step, in seconds of CPU time and bytes, and its output."""

    seconds: float
    peak_bytes: int
    said: str


def make_run(root: Path, records: int, blocks: int = BLOCKS, day: int = 0) -> Store:
    """Make a run of about so many records, each with as many samples and laps as a real process has."""
    rng, began = random.Random(records + day), NOON + timedelta(days=day)
    cells = [*list_cells(records // blocks)]
    place = store.create_run(root, f"of-{records}", began)
    place.write_manifest(
        Manifest.model_validate(
            {
                "name": f"of-{records}",
                "started": began.isoformat(),
                "command": (),
                "sweep": {},
                "seed": 1,
                "host": HOST,
                "cells": tuple(cells),
                "stopped": "all blocks were run",
                "finished": True,
            }
        )
    )
    for number, (block, cell) in enumerate((block, cell) for block in range(1, blocks + 1) for cell in cells):
        record = make_record(rng, cell, block, number, STEP if cell.label == STEPPED and day >= STEP_DAY else 1.0)
        # Not by the store, which flushes each to disk.
        path = place.jobs_folder.joinpath(f"{job_name(record.spec)}.json")
        path.write_text(add_summary(record).model_dump_json(indent=1))
    return place


def make_history(root: Path, records: int) -> Path:
    """Make a folder of daily runs of about so many records together."""
    each = records // DAYS
    for day in range(DAYS):
        make_run(root, each, max(10, each // MAX_HISTORY_CELLS), day)
    return root


def list_cells(number: int) -> Iterator[Cell]:
    """Yield about so many cells, in whole groups."""
    for group in range(max(1, number // len(TRUTH))):
        for label in TRUTH:
            framework, _, mode = label.partition(":")
            yield Cell(framework=framework, mode=mode, workload="mlp", parameters={"depth": group + 1})


def make_record(rng: random.Random, cell: Cell, block: int, number: int, factor: float = 1.0) -> JobRecord:
    """Return the record of one process of a cell, which takes so many times as long as it is due to."""
    floor_ns = CALL_NS * TRUTH[cell.label][0] * factor * (1 + rng.gauss(0, NOISE))
    calls = max(1, round(1e6 / floor_ns))
    samples = tuple(round(calls * floor_ns * (1 + rng.expovariate(50))) for _ in range(SAMPLES))
    warmup = tuple((2**lap, round(2**lap * floor_ns * (1 + 5 / (1 + lap)))) for lap in range(12))
    report = {
        "versions": {"torch": "2.13.0", "numpy": "2.4.6"},
        "settings": tuple({"name": f"setting {each}", "asked": "1", "got": "1"} for each in range(12)),
        "verification": {"checks": tuple(make_check(rng, each) for each in range(12))},
        "inputs_sha256": "ab" * 32,
        "phases": tuple(
            {"name": name, "wall_ns": 10**7, "cpu_ns": 10**7}
            for name in ("start", "import", "initialise", "data", "build", "trace", "compile", "first_call", "verify")
        ),
        "warmup": warmup,
        "calls": calls,
        "samples_ns": samples,
        "noise": {
            "run_delay_ns": (0,) * SAMPLES,
            "steal_ns": (0,) * SAMPLES,
            "pressure_ns": (0,) * SAMPLES,
            "cpu_ns": samples,
            "canary_ns": (30_000,) * SAMPLES,
            "involuntary_switches": 0,
            "major_faults": 0,
            "migrations": 0,
            "throttled": 0,
            "threads": 1,
        },
        "overhead": {"null_ns": 20, "clock_ns": 30, "linearity": 2.0},
        "work": {"flops": 1, "bytes": 1},
        "ceiling": {"flops_per_s": 1e12, "bytes_per_s": 1e12},
        "compilations": 0,
    }
    return JobRecord.model_validate(
        {
            "spec": JobSpec(cell=cell, block=block, position=number, seed=1, cpus=(1,), variables={}),
            "outcome": "measured",
            "host": HOST,
            "result": Report.model_validate(report),
            "outside": {
                "started": (NOON + timedelta(seconds=number)).isoformat(),
                "spawn_to_end_ns": 10**9,
                "exit_status": 0,
                "last_phase": "steady",
                "load_before": 0.1,
            },
        }
    )


def make_check(rng: random.Random, number: int) -> Mapping[str, object]:
    """Return a check of one tensor."""
    error = rng.uniform(1e-8, 1e-7)
    return {
        "tensor": f"gradient {number}",
        "inputs": "set 0",
        "error": error,
        "worst": 2 * error,
        "tolerance": 1e-5,
        "passed": True,
    }


def load_run(folder: Path) -> int:
    """Read a run, and return the number of its processes."""
    return len(Run.from_store(Store(folder)).processes)


def count_right(folder: Path) -> str:
    """Conclude a run, and return how many of its pairs have the known verdict."""
    run = Run.from_store(Store(folder))
    due = [(pair, TRUTH[pair.cell][1]) for pair in run.comparisons if pair.baseline == "torch:eager"]
    return f"{sum(pair.verdict == verdict for pair, verdict in due)} of {len(due)}"


def count_steps(root: Path) -> str:
    """Search a folder of runs for steps; return how many were found where they are, and how many elsewhere."""
    cells = [cell for each in trace_history(root).types for cell in each.cells]
    found = [(cell.label, step.after.run.began) for cell in cells for step in cell.claimed]
    due = sum(cell.label == STEPPED for cell in cells)
    right = found.count((STEPPED, NOON + timedelta(days=STEP_DAY)))
    return f"{right} of {due}, {len(found) - right} elsewhere"


def call_command(*arguments: str) -> None:
    """Call a command of the program, whose output goes nowhere.

    Raises:
        SystemExit: it has failed.
    """
    sys.argv = ["orchestrator", *arguments]
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            run_command()
        except SystemExit as ended:
            if ended.code:
                raise


# The first step of each derives what the others look up.
STEPS: Final[Mapping[str, Callable[[Path], object]]] = {
    "derive": load_run,
    "load": load_run,
    "conclude": count_right,
    "show": lambda folder: call_command("show", str(folder)),
    "page": lambda folder: call_command("report", str(folder)),
    "export": lambda folder: call_command("export", str(folder), "--format", "csv", "--per", "job"),
}
STEPS_OF_HISTORY: Final[Mapping[str, Callable[[Path], object]]] = {
    "history, derived": count_steps,
    "history": count_steps,
}


def measure_step(folder: Path, step: str) -> Cost:
    """Run a step in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.many_records", "--step", step, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = done.stdout.splitlines()[-1]
    print(f"{folder.name} {step}: {line}", flush=True)
    return Cost(**json.loads(line))


def run_step(step: str, folder: Path) -> None:
    """Run a step here, and print what it took."""
    # CPU time, which other programs on the machine lengthen less than the time that passes.
    began_s = time.process_time()
    said = {**STEPS, **STEPS_OF_HISTORY}[step](folder)
    took_s = time.process_time() - began_s
    print(json.dumps({"seconds": took_s, "peak_bytes": read_peak_bytes(), "said": str(said or "")}))


def read_peak_bytes() -> int:
    """Return the most memory that this process has had; what getrusage() tells begins with the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def build_table(found: Mapping[int, Mapping[str, Cost]]) -> Table:
    """Return the table of all numbers of records and all steps."""
    drawn = Table("step", *(f"{records:,} records" for records in found))
    for step in (*STEPS, *STEPS_OF_HISTORY):
        costs = [each[step] for each in found.values()]
        drawn.add_row(step, *(f"{cost.seconds:.1f} s, {cost.peak_bytes / 1e6:.0f} MB" for cost in costs))
    for title, step in (("right verdicts", "conclude"), ("steps found", "history")):
        drawn.add_row(title, *(each[step].said for each in found.values()))
    return drawn


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the runs, measure every step of each, and print a table."""
    parser = argparse.ArgumentParser(description="Print what runs of very many records take.")
    parser.add_argument(
        "--step", choices=[*STEPS, *STEPS_OF_HISTORY], help="run one step on the run of this folder, and print its cost"
    )
    parser.add_argument("asked", nargs="+", help="numbers of records; with --step, the folder of a run")
    said = parser.parse_args(arguments)
    if said.step:
        run_step(said.step, Path(said.asked[0]))
        return
    found = {}
    for records in map(int, said.asked):
        with tempfile.TemporaryDirectory() as folder, use_own_cache(Path(folder, "home")):
            run = make_run(Path(folder, "runs"), records).folder
            found[records] = {step: measure_step(run, step) for step in STEPS}
            root = make_history(Path(folder, "history"), records)
            found[records] |= {step: measure_step(root, step) for step in STEPS_OF_HISTORY}
        Console().print(f"load: {os.getloadavg()[0]:.1f}", build_table(found))


@contextlib.contextmanager
def use_own_cache(folder: Path) -> Iterator[None]:
    """Keep indexes in a folder that goes with the runs."""
    before = os.environ.get("PLUMBLINE_HOME")
    os.environ["PLUMBLINE_HOME"] = str(folder)
    bundle_vega()  # kept there for all pages
    try:
        yield
    finally:
        del os.environ["PLUMBLINE_HOME"]
        if before is not None:
            os.environ["PLUMBLINE_HOME"] = before


if __name__ == "__main__":
    main()
