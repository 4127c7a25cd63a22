"""Bencher Metric Format: JSON for Bencher's `json` adapter, with intervals. Latency in nanoseconds, memory in bytes.

https://bencher.dev/docs/reference/bencher-metric-format
"""

import json
import math
from typing import Final

from orchestrator.analysis.results import Result
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.export.named import list_measured_results
from schemas.sweep import MemoryMetric

MEMORY: Final[dict[str, MemoryMetric]] = {"memory-footprint": "footprint", "memory-step-peak": "step_peak"}
# Bencher refuses longer names.
LONGEST_NAME: Final = 1024


def export_document(run: Run) -> bytes:
    """Return a JSON document with a benchmark for each measured cell."""
    return (
        json.dumps(
            {name[:LONGEST_NAME]: make_metrics(found) for name, found in list_measured_results(run)}, indent=2
        ).encode()
        + b"\n"
    )


def make_metrics(found: Result) -> dict[str, dict[str, float]]:
    """Return the metrics of a cell, its time and its memory, by measure."""
    memory = {measure: found.memory[metric] for measure, metric in MEMORY.items() if metric in found.memory}
    return {measure: make_metric(interval) for measure, interval in {"latency": found.floor_ns, **memory}.items()}


def make_metric(interval: Interval) -> dict[str, float]:
    """Return a metric. Omit an end of the interval that the data do not support."""
    ends = {"value": interval.estimate, "lower_value": interval.low, "upper_value": interval.high}
    return {name: value for name, value in ends.items() if math.isfinite(value)}
