"""Runs of very many records with a known truth: how long they take to load, conclude and show, and in what memory.

    python -m tests.benchmarks.many_records 1000 10000 100000

For each number of records, a run is made whose cells are in groups of five: in each, the second mode is 3 % slower than
the first, the third as fast, the fourth twice and the fifth ten times as slow. Each step is a process of its own, so
that its time and its memory are its own; a table has both, and the number of pairs whose verdict is the known one.
"""

import argparse
import contextlib
import json
import os
import random
import resource
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
from orchestrator.comparison.history import read_series
from orchestrator.execution.job_summary import add_summary
from orchestrator.records import store
from orchestrator.records.store import Store, job_name
from schemas.event import Report
from schemas.job import Cell, JobSpec
from schemas.record import Host, JobRecord, Manifest

NOON: Final = datetime(2025, 1, 1, 12, tzinfo=UTC)
BLOCKS: Final = 20
SAMPLES: Final = 100
CALL_NS: Final = 50_000.0
NOISE: Final = 0.002

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
    """What a step took, in seconds and bytes, and what it said."""

    seconds: float
    peak_bytes: int
    said: str


def make_run(root: Path, records: int) -> Store:
    """Make a run of about so many records, each with as many samples and laps as a real process has."""
    rng = random.Random(records)
    cells = [*list_cells(records // BLOCKS)]
    place = store.create_run(root, f"of-{records}", NOON)
    place.write_manifest(
        Manifest.model_validate(
            {
                "name": f"of-{records}",
                "started": NOON.isoformat(),
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
    for number, (block, cell) in enumerate((block, cell) for block in range(1, BLOCKS + 1) for cell in cells):
        record = make_record(rng, cell, block, number)
        # Not by the store, which flushes each to disk.
        path = place.jobs_folder.joinpath(f"{job_name(record.spec)}.json")
        path.write_text(add_summary(record).model_dump_json(indent=1))
    return place


def list_cells(number: int) -> Iterator[Cell]:
    """Yield about so many cells, in whole groups."""
    for group in range(max(1, number // len(TRUTH))):
        for label in TRUTH:
            framework, _, mode = label.partition(":")
            yield Cell(framework=framework, mode=mode, workload="mlp", parameters={"depth": group + 1})


def make_record(rng: random.Random, cell: Cell, block: int, number: int) -> JobRecord:
    """Return the record of one process of a cell."""
    floor_ns = CALL_NS * TRUTH[cell.label][0] * (1 + rng.gauss(0, NOISE))
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


def count_right(place: Store) -> str:
    """Conclude a run, and return how many of its pairs have the known verdict."""
    run = Run.from_store(place)
    due = [(pair, TRUTH[pair.cell][1]) for pair in run.comparisons if pair.baseline == "torch:eager"]
    return f"{sum(pair.verdict == verdict for pair, verdict in due)} of {len(due)}"


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


# The first step derives what the others look up.
STEPS: Final[Mapping[str, Callable[[Store], object]]] = {
    "derive": lambda place: len(Run.from_store(place).processes),
    "load": lambda place: len(Run.from_store(place).processes),
    "conclude": count_right,
    "show": lambda place: call_command("show", str(place.folder)),
    "page": lambda place: call_command("report", str(place.folder)),
    "export": lambda place: call_command("export", str(place.folder), "--format", "csv", "--per", "job"),
    "history": lambda place: len(read_series([place], None).points),
}


def measure_step(place: Store, step: str) -> Cost:
    """Run a step in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.many_records", "--step", step, str(place.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def run_step(step: str, folder: Path) -> None:
    """Run a step here, and print what it took."""
    began_s = time.perf_counter()
    said = STEPS[step](Store(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    print(json.dumps({"seconds": time.perf_counter() - began_s, "peak_bytes": peak, "said": str(said or "")}))


def build_table(found: Mapping[int, Mapping[str, Cost]]) -> Table:
    """Return the table of all numbers of records and all steps."""
    drawn = Table("records", *STEPS, "right verdicts")
    for records, costs in found.items():
        texts = [f"{cost.seconds:.1f} s, {cost.peak_bytes / 1e6:.0f} MB" for cost in costs.values()]
        drawn.add_row(f"{records:,}", *texts, costs["conclude"].said)
    return drawn


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the runs, measure every step of each, and print a table."""
    parser = argparse.ArgumentParser(description="Print what runs of very many records take.")
    parser.add_argument("--step", choices=[*STEPS], help="run one step on the run of this folder, and print its cost")
    parser.add_argument("asked", nargs="+", help="numbers of records; with --step, the folder of a run")
    said = parser.parse_args(arguments)
    if said.step:
        run_step(said.step, Path(said.asked[0]))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for records in map(int, said.asked):
            place = make_run(Path(folder), records)
            found[records] = {step: measure_step(place, step) for step in STEPS}
        Console().print(f"load at the end: {os.getloadavg()[0]:.1f}", build_table(found))


if __name__ == "__main__":
    main()
