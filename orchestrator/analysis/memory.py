"""What a mode costs in memory: a few headlines from the ledger of phases and the memory pass. Pure; all in bytes."""

import math
from collections.abc import Mapping, Sequence

from orchestrator.analysis.statistics import Interval, median_interval
from schemas.event import Memory, PhaseMemory, PhaseName, Report
from schemas.sweep import MemoryMetric

RESOLUTION = 1 << 18
"""The kernel keeps its counters apart for each core, and they may be so far off; less than this is not told apart."""

PREPARING: tuple[PhaseName, ...] = ("trace", "compile", "first_call")

MEANING: dict[MemoryMetric, str] = {
    "import": "what importing the framework left resident",
    "static": "what weights and inputs left resident, and a file that was loaded",
    "compile_peak": "the high-water mark of tracing, compiling and the first call, over what was resident before",
    "step_peak": "the high-water mark of later calls, over what was resident before tracing, compiling and calling",
    "footprint": "the whole process's high-water mark while it calls, less our own copies of weights and inputs",
    "device_peak": "what the framework allocated on its GPU at most while it calls, by its own count",
    "device_process": "what the driver says that the process holds of its GPU in the end, contexts and pools included",
}


def headlines(report: Report) -> dict[MemoryMetric, float]:
    """The headlines of one process; empty where its system does not count.

    A step's peak is over what was resident before the first call, and not before this one: a framework with a pool of
    its own gives nothing back, and from call to call would seem to need nothing.
    """
    marks = {cost.name: cost.memory for cost in report.phases if cost.memory is not None}
    if report.memory is None or not report.memory.steps or not {"import", "data", "build"} <= marks.keys():
        return {}
    ready = (marks.get("load") or marks["build"]).end
    highest = max(step.peak for step in report.memory.steps)
    preparing = [marks[name].peak for name in PREPARING if name in marks]
    return {
        "import": grown(marks["import"]),
        "static": max(0, ready - marks["build"].start),
        "compile_peak": max(0, max(preparing, default=ready) - ready),
        "step_peak": max(0, highest - ready),
        "footprint": max(0, highest - grown(marks["data"])),
        **on_device(report.memory),
    }


def on_device(memory: Memory) -> dict[MemoryMetric, float]:
    """The two views of a GPU's memory, each where somebody has it."""
    seen = memory.device
    if seen is None:
        return {}
    views: dict[MemoryMetric, int | None] = {"device_peak": seen.peak, "device_process": seen.process}
    return {metric: count for metric, count in views.items() if count is not None}


def grown(memory: PhaseMemory) -> int:
    """How much more was resident at the end of a phase than at its start."""
    return max(0, memory.end - memory.start)


def over_processes(reports: Sequence[Report]) -> dict[MemoryMetric, Interval]:
    """Each headline's median over processes with its interval, as for times."""
    found = [each for report in reports if (each := headlines(report))]
    counted = {metric: [each[metric] for each in found if metric in each] for metric in MEANING}
    return {metric: median_interval(counts) for metric, counts in counted.items() if counts}


def scores(reports: Mapping[int, Report], metric: MemoryMetric) -> dict[int, float]:
    """The logarithm of a headline by block, for a comparison like that of times."""
    found = {block: headlines(report) for block, report in reports.items()}
    return {block: math.log(max(each[metric], RESOLUTION)) for block, each in found.items() if metric in each}
