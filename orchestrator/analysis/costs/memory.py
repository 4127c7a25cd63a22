"""Memory metrics of a mode, over those of its processes. Pure; all in bytes."""

import math
from collections.abc import Mapping, Sequence

from orchestrator.analysis.statistics.intervals import Interval, median_interval
from schemas.sweep import MemoryMetric

# The kernel batches its counters per core, so that they may be off by this much. Smaller values count as equal.
RESOLUTION = 1 << 18

METRIC_MEANINGS: dict[MemoryMetric, str] = {
    "import": "resident memory added by importing the framework",
    "static": "resident memory added by weights, inputs and a loaded file",
    "compile_peak": "high-water mark of tracing, compiling and the first call, above the resident memory before them",
    "step_peak": "high-water mark of later calls, above the resident memory before tracing, compiling and calling",
    "footprint": "high-water mark of the whole process during calls, minus the harness's copies of weights and inputs",
    "device_peak": "most memory that the framework had allocated on its GPU during calls, as counted by the framework",
    "device_process": "GPU memory held by the process at its end according to the driver, with contexts and pools",
}


def summarise_memory_metrics(found: Sequence[Mapping[MemoryMetric, float]]) -> dict[MemoryMetric, Interval]:
    """Return each metric's median over processes with its interval, as for times, from those of each process."""
    counted = {metric: [each[metric] for each in found if metric in each] for metric in METRIC_MEANINGS}
    return {metric: median_interval(counts) for metric, counts in counted.items() if counts}


def score_memory_metric(found: Mapping[int, Mapping[MemoryMetric, float]], metric: MemoryMetric) -> dict[int, float]:
    """Return the logarithm of a metric by block, to be compared like times, from the metrics of each process."""
    return {block: math.log(max(each[metric], RESOLUTION)) for block, each in found.items() if metric in each}
