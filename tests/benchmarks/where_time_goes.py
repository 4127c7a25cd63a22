"""The time of a run by its parts: seconds in each part of its jobs and between them.

    python tests/benchmarks/where_time_goes.py latest [OTHER ...] [--runs FOLDER]

prints a table for each run: the seconds of each part, its share, and its mean over the jobs that started fresh and over
those that were forked. Phases are those of the workers. Outside of them is what a process takes to start and to end,
and between jobs what templates, the judge, records and analysis take.
"""

import argparse
import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from orchestrator.records.store import find_run
from schemas.event import PhaseName
from schemas.record import JobRecord

PARTS: Final[Mapping[str, frozenset[PhaseName]]] = {
    "start of the interpreter": frozenset({"start"}),
    "import of the framework": frozenset({"import", "initialise"}),
    "data and model": frozenset({"data", "build"}),
    "trace, compile, load, export": frozenset({"trace", "compile", "load", "export"}),
    "first calls": frozenset({"first_call", "second_call"}),
    "warm-up": frozenset({"warm_up"}),
    "samples": frozenset({"steady", "latency"}),
    "what is verified, and thorough checks": frozenset({"verify"}),
    "memory": frozenset({"memory"}),
    "other shapes": frozenset({"new_shapes"}),
    "right results of a model": frozenset({"reference"}),
    "report": frozenset({"report", "ledger", "profile"}),
}
OUTSIDE: Final = "outside of the phases"
BETWEEN: Final = "between jobs"

Seconds = dict[str, float]


def main() -> None:
    """Print a table for each run."""
    parser = argparse.ArgumentParser(description="Print where the time of runs went.")
    parser.add_argument("run", nargs="+", help="a run: its name or part of it, or latest")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="the folder that holds the runs")
    asked = parser.parse_args()
    for name in asked.run:
        run = find_run(asked.runs, name)
        Console().print(build_table(run.name, run.read_records()))


def build_table(name: str, records: Sequence[JobRecord]) -> Table:
    """Return the table of a run."""
    jobs = [record for record in records if record.outside is not None]
    blocks = len({record.spec.block for record in jobs})
    whole_s = measure_span_s(jobs)
    parts = {part: [split_job(record).get(part, 0.0) for record in jobs] for part in (*PARTS, OUTSIDE)}
    table = Table(title=f"{name}: {len(jobs)} jobs, {blocks} blocks, {whole_s:.0f} s")
    for column in ("part", "s", "share", "s a fresh job", "s a forked job"):
        table.add_column(column, justify="left" if column == "part" else "right")
    is_fresh = [record.spec.start == "fresh" for record in jobs]
    for part, spent in parts.items():
        kinds = (mean_where(spent, is_fresh), mean_where(spent, [not fresh for fresh in is_fresh]))
        table.add_row(part, f"{sum(spent):.1f}", f"{sum(spent) / whole_s:.0%}", *(f"{each:.3f}" for each in kinds))
    between_s = whole_s - sum(map(sum, parts.values()))
    table.add_row(BETWEEN, f"{between_s:.1f}", f"{between_s / whole_s:.0%}", "", "")
    return table


def split_job(record: JobRecord) -> Seconds:
    """Return the seconds of each part of a job."""
    assert record.outside is not None
    whole_s = record.outside.spawn_to_end_ns / 1e9
    phases = record.result.phases if record.result is not None else ()
    parts = {part: sum(cost.wall_ns for cost in phases if cost.name in names) / 1e9 for part, names in PARTS.items()}
    return parts | {OUTSIDE: whole_s - sum(parts.values())}


def measure_span_s(jobs: Iterable[JobRecord]) -> float:
    """Return the seconds from the start of the first job to the end of the last one."""
    spans = [
        (datetime.fromisoformat(str(record.outside.started)).timestamp(), record.outside.spawn_to_end_ns / 1e9)
        for record in jobs
        if record.outside is not None
    ]
    return max(begin + lasted for begin, lasted in spans) - min(begin for begin, _ in spans)


def mean_where(values: Sequence[float], chosen: Sequence[bool]) -> float:
    """Return the mean of the chosen values; 0 without any."""
    kept = [value for value, is_chosen in zip(values, chosen, strict=True) if is_chosen]
    return statistics.fmean(kept) if kept else 0.0


if __name__ == "__main__":
    main()
