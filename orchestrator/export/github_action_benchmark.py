"""JSON for github-action-benchmark's tool `customSmallerIsBetter`: times in nanoseconds, memory in bytes.

https://github.com/benchmark-action/github-action-benchmark
"""

import json
import math
from collections.abc import Iterator

from orchestrator.analysis.results import Result
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.export.named import list_measured_results

BenchmarkEntry = dict[str, str | float]


def export_document(run: Run) -> bytes:
    """Return a JSON list with an entry for each measured cell's time, and one for its memory."""
    entries = [entry for name, found in list_measured_results(run) for entry in make_entries(name, found, run)]
    return json.dumps(entries, indent=2).encode() + b"\n"


def make_entries(name: str, found: Result, run: Run) -> Iterator[BenchmarkEntry]:
    """Yield the entries of a cell: its time, and the memory of its whole process where that is known."""
    about = f"{found.jobs} processes, grade {found.grade}, machine type {run.machine_type.content_hash}, run {run.name}"
    yield {"name": name, "unit": "ns", "extra": about, **make_value(found.floor_ns)}
    if footprint := found.memory.get("footprint"):
        yield {"name": f"{name}: memory", "unit": "bytes", "extra": about, **make_value(footprint)}


def make_value(interval: Interval) -> BenchmarkEntry:
    """Return the value, with the distance to the farther end of its interval as a range, where that is finite."""
    far = max(interval.high - interval.estimate, interval.estimate - interval.low)
    return {"value": interval.estimate, **({"range": f"± {far:.2f}"} if math.isfinite(far) else {})}
