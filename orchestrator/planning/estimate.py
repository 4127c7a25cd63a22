"""Estimates of a sweep's duration, from recent jobs or else from rough defaults. Pure."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.model_files import is_opened_as_is
from orchestrator.registry.modes import find_mode
from schemas.event import PhaseName
from schemas.job import Cell, Timing
from schemas.machine_type import identify_type
from schemas.models import ModelSource
from schemas.record import Host, JobRecord

# The end of the label of a mode whose jobs load what is compiled.
LOADED = " loaded"

# The part of a compilation that is left if its cache is warm.
WARM_SHARE = 0.2

# Phases that only some sweeps ask for: what others take does not depend on them.
FURTHER_PHASES: frozenset[PhaseName] = frozenset({"generation", "growth", "throughput"})

# With several clients at once, the time for each number of them.
ROUND_S = 1.3

# The most of a fresh job's duration that its start can be.
MAX_START_SHARE = 0.6


def seconds_by_mode(records: Iterable[JobRecord], host: Host | None) -> dict[str, float]:
    """Return the median duration of jobs that started fresh in seconds, by framework, mode and what they start from.

    Those on machines of the host's type count; without a host, which is not known yet for nodes, those on any.
    """
    took, machine = defaultdict(list), None if host is None else identify_type(host)
    for record in records:
        if machine in (None, identify_type(record.host)) and (running_ns := measure_fresh_ns(record)) is not None:
            took[mode_label(record.spec.cell, record.spec.model)].append(running_ns / 1e9)
    return {mode: statistics.median(values) for mode, values in took.items()}


def measure_fresh_ns(record: JobRecord) -> int | None:
    """Return how long a job ran that started fresh and was measured; None for any other job.

    Phases that only some sweeps ask for, and stops, do not count.
    """
    report, outside = record.report, record.outside
    if record.outcome != "measured" or report is None or report.forked or outside is None:
        return None
    further_ns = sum(cost.wall_ns for cost in report.phases if cost.name in FURTHER_PHASES)
    return outside.spawn_to_end_ns - outside.stopped_ns - further_ns


def mode_label(cell: Cell, model: ModelSource | None = None) -> str:
    """Return framework and mode, and whether a job loads what is compiled; a clone's label is that of its original."""
    return f"{cell.framework}:{cell.mode}{LOADED if is_loaded(cell, model) else ''}"


def is_loaded(cell: Cell, model: ModelSource | None) -> bool:
    """Return whether jobs of a cell load what is compiled: a saved model, or the file of a user's model as it is."""
    return cell.origin == "file" or (model is not None and is_opened_as_is(model, cell.framework))


def estimate_job_s(
    cell: Cell, timing: Timing, known: Mapping[str, float], model: ModelSource | None = None, cores: int = 1
) -> float:
    """Estimate the duration of one job of a cell that starts fresh, in seconds."""
    alone_s = estimate_alone_s(cell, timing, known, model)
    return alone_s + estimate_clients_s(timing, alone_s, cores)


def estimate_clients_s(timing: Timing, alone_s: float, cores: int) -> float:
    """Estimate the time for several clients at once, in seconds: rounds, and further processes like this one."""
    several = [count for count in timing.concurrency if count > 1]
    starting_s = (max(several) - 1) * alone_s / cores if several else 0.0
    return ROUND_S * len([*timing.concurrency, *several]) + starting_s


def estimate_alone_s(cell: Cell, timing: Timing, known: Mapping[str, float], model: ModelSource | None) -> float:
    """Estimate the duration of one job of a cell that starts fresh and answers no clients, in seconds."""
    if (label := mode_label(cell, model)) in known:
        return known[label]
    mode = find_mode(cell)
    is_found = cell.cache == "warm" and mode.cached
    # Compiled code is loaded without its C++ kernels, which take most of the time.
    is_compiled = is_loaded(cell, model) and not mode.holds_code
    compile_s = 0.0 if is_compiled else mode.compile_s * (WARM_SHARE if is_found else 1)
    measuring_ns = timing.warmup_min_ns + 1.5 * timing.samples * timing.sample_ns
    return load_frameworks()[cell.framework].start_s + compile_s + measuring_ns / 1e9


def estimate_start_s(cell: Cell, job_s: float) -> float:
    """Estimate the part of a fresh job's duration in which its framework is imported, in seconds."""
    return min(load_frameworks()[cell.framework].start_s, MAX_START_SHARE * job_s)


def estimate_forked_s(jobs: Sequence[tuple[Cell, float]], cores: int) -> float:
    """Estimate the duration of a block whose jobs are forked, in seconds, from those of the same jobs started fresh.

    Its templates import side by side on these cores: one for each framework, and one for the A/A clone.
    """
    starts = [(cell, estimate_start_s(cell, job_s)) for cell, job_s in jobs]
    templates = {(cell.framework, cell.environment, cell.replica): start_s for cell, start_s in starts}
    opening_s = max(*templates.values(), sum(templates.values()) / cores)
    return sum(job_s for _, job_s in jobs) - sum(start_s for _, start_s in starts) + opening_s


def total_duration_s(records: Iterable[JobRecord]) -> float:
    """Return the total duration of these jobs in seconds."""
    return sum(record.outside.spawn_to_end_ns / 1e9 for record in records if record.outside is not None)


# Limits on how many records of earlier runs are read: to estimate how long jobs take, and to list what each mode was
# verified on. Reading delays the first job.
MAX_RECORDS_FOR_ESTIMATE = 200
