"""Memory metrics of one process, from the costs of its phases and the memory pass. Pure; all in bytes."""

import statistics
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from schemas.event import Growth, Memory, PhaseMemory, PhaseName, Report
from schemas.sweep import MemoryMetric

# A call that keeps less than some pages cannot be told from the allocator's own moves.
LEAST_GROWTH = 1 << 14

# The rates of growth in the memory pass and over the samples may differ by this factor.
GROWTH_FACTOR = 2

PREPARATION_PHASES: tuple[PhaseName, ...] = ("trace", "compile", "load", "first_call")


def compute_memory_metrics(report: Report) -> dict[MemoryMetric, float]:
    """Compute the memory metrics of one process; empty where its system does not count memory, or it was forked."""
    # A step's peak is measured from before the first call, not from before that step. A framework with its own memory
    # pool returns nothing to the system, and would seem to need no memory from call to call.
    marks = {cost.name: cost.memory for cost in report.phases if cost.memory is not None}
    is_complete = not report.forked and {"import", "data", "build"} <= marks.keys()
    if report.memory is None or not report.memory.steps or not is_complete:
        return {}
    model = find_model_phase(marks)
    ready, highest = marks[model].end, max(step.peak for step in report.memory.steps)
    preparing = [marks[name].peak for name in PREPARATION_PHASES if name in marks and name != model]
    return {
        "import": measure_growth(marks["import"]),
        "static": max(0, ready - marks["build"].start),
        "compile_peak": max(0, max(preparing, default=ready) - ready),
        "step_peak": max(0, highest - ready),
        "footprint": max(0, highest - measure_growth(marks["data"])),
        **compute_device_metrics(report.memory),
    }


def find_model_phase(names: Iterable[PhaseName]) -> PhaseName:
    """Return the phase at whose end there is a model, of phases in their order.

    A file that is loaded before anything is prepared holds the model; one that is loaded later, compiled code.
    """
    first = next((name for name in names if name in PREPARATION_PHASES), None)
    return "load" if first == "load" else "build"


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


def measure_slope(growth: Growth) -> float:
    """Return the bytes that each of many calls keeps, over all readings or their second half, whichever is less.

    A page or a pool that is taken once is a step, which moves the slope of all readings little. Memory that is filled
    during the first calls, and stays so, has none in the second half. What each call keeps is in both.
    """
    read = np.array(growth.anonymous, dtype=float)
    return min(compute_median_slope(read), compute_median_slope(read[len(read) // 2 :])) / growth.calls


def compute_median_slope(values: npt.NDArray[np.float64]) -> float:
    """Return the median slope of all pairs of values at equal steps (Theil 1950, Sen 1968)."""
    first, second = np.triu_indices(len(values), k=1)
    return float(np.median((values[second] - values[first]) / (second - first)))
