"""JSON for github-action-benchmark's tool `customSmallerIsBetter`: times in nanoseconds, memory in bytes.

https://github.com/benchmark-action/github-action-benchmark
"""

import json
import math
from collections.abc import Iterator

from orchestrator.analysis.results import Result
from orchestrator.analysis.statistics import Interval
from orchestrator.api import Run
from orchestrator.report.exporters.named import measured

Entry = dict[str, str | float]


def export(run: Run) -> bytes:
    """Return a JSON list with an entry for each measured cell's time, and one for its memory."""
    entries = [entry for name, found in measured(run) for entry in of_cell(name, found, run)]
    return json.dumps(entries, indent=2).encode() + b"\n"


def of_cell(name: str, found: Result, run: Run) -> Iterator[Entry]:
    """Yield the entries of a cell: its time, and the memory of its whole process where that is known."""
    about = f"{found.jobs} processes, grade {found.grade}, machine {run.manifest.host.content_hash}, run {run.name}"
    yield {"name": name, "unit": "ns", "extra": about, **of_interval(found.floor_ns)}
    if footprint := found.memory.get("footprint"):
        yield {"name": f"{name}: memory", "unit": "bytes", "extra": about, **of_interval(footprint)}


def of_interval(interval: Interval) -> Entry:
    """Return the value, with the distance to the farther end of its interval as a range, where that is finite."""
    far = max(interval.high - interval.estimate, interval.estimate - interval.low)
    return {"value": interval.estimate, **({"range": f"± {far:.2f}"} if math.isfinite(far) else {})}
