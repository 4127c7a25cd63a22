"""Memory metrics of a mode, from the costs of its phases and the memory pass. Pure; all in bytes."""

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise

from orchestrator.analysis.statistics.intervals import Interval, median_interval
from schemas.event import Memory, PhaseMemory, PhaseName, Report
from schemas.sweep import MemoryMetric

# The kernel batches its counters per core, so that they may be off by this much. Smaller values count as equal.
RESOLUTION = 1 << 18

# A call that keeps less than some pages cannot be told from the allocator's own moves.
LEAST_GROWTH = 1 << 14

# The rates of growth in the memory pass and over the samples may differ by this factor.
GROWTH_FACTOR = 2

PREPARATION_PHASES: tuple[PhaseName, ...] = ("trace", "compile", "first_call")

METRIC_MEANINGS: dict[MemoryMetric, str] = {
    "import": "resident memory added by importing the framework",
    "static": "resident memory added by weights, inputs and a loaded file",
    "compile_peak": "high-water mark of tracing, compiling and the first call, above the resident memory before them",
    "step_peak": "high-water mark of later calls, above the resident memory before tracing, compiling and calling",
    "footprint": "high-water mark of the whole process during calls, minus the harness's copies of weights and inputs",
    "device_peak": "most memory that the framework had allocated on its GPU during calls, as counted by the framework",
    "device_process": "GPU memory held by the process at its end according to the driver, with contexts and pools",
}


def compute_memory_metrics(report: Report) -> dict[MemoryMetric, float]:
    """Compute the memory metrics of one process; empty where its system does not count memory, or it was forked."""
    # A step's peak is measured from before the first call, not from before that step. A framework with its own memory
    # pool returns nothing to the system, and would seem to need no memory from call to call.
    marks = {cost.name: cost.memory for cost in report.phases if cost.memory is not None}
    is_complete = not report.forked and {"import", "data", "build"} <= marks.keys()
    if report.memory is None or not report.memory.steps or not is_complete:
        return {}
    ready = (marks.get("load") or marks["build"]).end
    highest = max(step.peak for step in report.memory.steps)
    preparing = [marks[name].peak for name in PREPARATION_PHASES if name in marks]
    return {
        "import": measure_growth(marks["import"]),
        "static": max(0, ready - marks["build"].start),
        "compile_peak": max(0, max(preparing, default=ready) - ready),
        "step_peak": max(0, highest - ready),
        "footprint": max(0, highest - measure_growth(marks["data"])),
        **compute_device_metrics(report.memory),
    }


def compute_device_metrics(memory: Memory) -> dict[MemoryMetric, float]:
    """Return the two views of a GPU's memory that are available: the framework's, and the driver's."""
    seen = memory.device
    if seen is None:
        return {}
    views: dict[MemoryMetric, int | None] = {"device_peak": seen.peak, "device_process": seen.process}
    return {metric: count for metric, count in views.items() if count is not None}


def measure_growth(memory: PhaseMemory) -> int:
    """Return the growth of resident memory from the start of a phase to its end; zero if it shrank."""
    return max(0, memory.end - memory.start)


def measure_growth_per_call(report: Report) -> float:
    """Return the bytes by which resident memory grows with each call; 0 if it does not keep growing.

    It must grow from step to step of the memory pass, and over the samples at about the same rate: a framework's pool
    also grows now and then.
    """
    steady = next((cost.memory for cost in report.phases if cost.name == "steady" and cost.memory is not None), None)
    starts = [step.start for step in report.memory.steps] if report.memory else []
    grown = [after - before for before, after in pairwise(starts)]
    if steady is None or len(grown) < 2 or min(grown) < LEAST_GROWTH:
        return 0.0
    of_steps = statistics.median(grown)
    of_samples = (steady.end - steady.start) / (report.calls * len(report.samples_ns))
    return of_steps if of_steps / GROWTH_FACTOR <= of_samples <= of_steps * GROWTH_FACTOR else 0.0


def find_median_growth(reports: Sequence[Report]) -> float:
    """Return the median over processes of the bytes that each call keeps."""
    return statistics.median([*map(measure_growth_per_call, reports)] or [0.0])


def summarise_memory_metrics(reports: Sequence[Report]) -> dict[MemoryMetric, Interval]:
    """Return each metric's median over processes with its interval, as for times."""
    found = [each for report in reports if (each := compute_memory_metrics(report))]
    counted = {metric: [each[metric] for each in found if metric in each] for metric in METRIC_MEANINGS}
    return {metric: median_interval(counts) for metric, counts in counted.items() if counts}


def score_memory_metric(reports: Mapping[int, Report], metric: MemoryMetric) -> dict[int, float]:
    """Return the logarithm of a metric by block, to be compared like times."""
    found = {block: compute_memory_metrics(report) for block, report in reports.items()}
    return {block: math.log(max(each[metric], RESOLUTION)) for block, each in found.items() if metric in each}
