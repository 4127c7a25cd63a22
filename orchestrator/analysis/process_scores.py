"""The scores of a cell: the floors, typical times and cost curves of its processes, by block."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from orchestrator.analysis.compare import Scores
from orchestrator.analysis.costs.cost_curve import CostCurve, estimate_start_cost, make_cost_curve
from orchestrator.analysis.derivation.process import Figures, Job, Process, derive_processes, read_phases
from orchestrator.analysis.quality.comparability import Sampling
from orchestrator.analysis.quality.starts import differ_by_start
from schemas.event import PhaseCost
from schemas.sweep import MemoryMetric


def group_by_cell(jobs: Iterable[Job]) -> dict[str, list[Process]]:
    """Return the processes that count by cell id, in their order: all but those of jobs that filled a cache."""
    found: defaultdict[str, list[Process]] = defaultdict(list)
    for process in derive_processes(jobs):
        # A job in block 0 fills the cache, and so measures a cold one. If it fails, its failure counts for the cell.
        if process.block > 0 or process.outcome != "measured":
            found[process.cell_id].append(process)
    return dict(found)


def select_measured_jobs(jobs: Iterable[Job]) -> list[Process]:
    """Return the processes of a cell with a measurement, without forked ones where a fork makes a difference."""
    measured = [each for each in derive_processes(jobs) if each.outcome == "measured" and each.figures is not None]
    only_fresh = differ_by_start(measured)
    return [each for each in measured if each.figures and not (only_fresh and each.figures.forked)]


def collect_figures(processes: Iterable[Process]) -> list[Figures]:
    """Return the figures of the processes that have any."""
    return [process.figures for process in processes if process.figures is not None]


def map_counted_memory(jobs: Iterable[Job]) -> dict[int, Mapping[MemoryMetric, float]]:
    """Return the memory metrics of each block's process, for jobs that count."""
    return {process.block: figures.memory for process, figures in select_counted_jobs(jobs)}


def score_processes(jobs: Iterable[Job]) -> Scores:
    """Return the log seconds per call of each block's process, for jobs that count."""
    counted = tuple(select_counted_jobs(jobs))
    return Scores(
        floor={process.block: to_log_seconds(figures.floor_ns) for process, figures in counted},
        typical={process.block: to_log_seconds(figures.typical_ns) for process, figures in counted},
        # A call that is longer than a sample is a whole one.
        sampling={process.block: Sampling(process.sample_ns, slow=figures.calls == 1) for process, figures in counted},
        least={process.block: to_log_seconds(figures.least_floor_ns) for process, figures in counted},
        samples={process.block: figures.log_samples for process, figures in counted},
        undisturbed={process.block: figures.undisturbed for process, figures in counted},
    )


def to_log_seconds(nanoseconds: float) -> float:
    """Return the logarithm of a time in seconds."""
    return math.log(nanoseconds / 1e9)


def make_cost_curves(jobs: Iterable[Job]) -> dict[int, CostCurve]:
    """Make the cost curve of each block's process, for jobs that count.

    The start of a forked process costs what it would have cost a fresh one; without any fresh one it has no curve.
    """
    counted = tuple(select_counted_jobs(jobs))
    fresh = select_fresh(figures for _, figures in counted)
    forked = [figures for _, figures in counted if figures.forked]
    return {
        process.block: make_cost_curve(
            figures, partial(estimate_start_cost, figures=figures, forked=forked, fresh=fresh)
        )
        for process, figures in counted
        if fresh or not figures.forked
    }


def select_counted_jobs(jobs: Iterable[Job]) -> Iterator[tuple[Process, Figures]]:
    """Yield the measured processes of a cell with their figures, except those that a CPU quota stopped."""
    for process in select_measured_jobs(jobs):
        if process.figures is not None and not process.figures.throttled:
            yield process, process.figures


def select_fresh(found: Iterable[Figures]) -> list[Figures]:
    """Return the figures of processes that started in a fresh interpreter."""
    return [figures for figures in found if not figures.forked]


def list_phase_costs(processes: Iterable[Process]) -> list[tuple[PhaseCost, ...]]:
    """Return the costs of the phases of each process that started in a fresh interpreter."""
    return [read_phases(figures) for figures in select_fresh(collect_figures(processes))]


def collect_settling_times_ns(found: Sequence[Figures]) -> list[int]:
    """Return the time from the first result until calls were steady, for the processes in which they were."""
    return [figures.settling_ns for figures in found if figures.settling_ns is not None]
