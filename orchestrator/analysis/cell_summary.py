"""The result of one cell over all its processes."""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

from orchestrator.analysis.accuracy import summarise_accuracy
from orchestrator.analysis.costs.generation import summarise_generation
from orchestrator.analysis.costs.growth import summarise_slopes
from orchestrator.analysis.costs.memory import summarise_memory_metrics
from orchestrator.analysis.costs.new_shapes import summarise_new_shapes
from orchestrator.analysis.costs.saved_models import summarise_artefact
from orchestrator.analysis.costs.throughput import summarise_throughput
from orchestrator.analysis.derivation.disturbance import Flag
from orchestrator.analysis.derivation.process import Figures, Job, Process, derive_processes, read_sketches
from orchestrator.analysis.derivation.steady_state import Kind
from orchestrator.analysis.latency import summarise_percentiles
from orchestrator.analysis.process_scores import (
    collect_figures,
    collect_settling_times_ns,
    select_fresh,
    select_measured_jobs,
)
from orchestrator.analysis.quality.flags import find_flags
from orchestrator.analysis.quality.grades import Grade, grade_cell, is_drifting
from orchestrator.analysis.quality.starts import describe_starts
from orchestrator.analysis.results import Result, Steadiness
from orchestrator.analysis.statistics.intervals import median_interval
from orchestrator.records.outcomes import MAX_FAILURES, RERUN_OUTCOMES
from schemas.job import Cell
from schemas.models import Likeness
from schemas.record import Outcome

# The share of a cell's processes that must be steady in the same way; otherwise the cell is `mixed`.
AGREEING_SHARE = 0.9
# The first of these outcomes that occurred is the outcome of the cell; without any, the latest is.
DECISIVE_OUTCOMES: tuple[Outcome, ...] = (
    "wrong",
    "unfair",
    "implausible",
    "recompiled",
    "overhead-dominated",
    "unsupported",
    "measured",
)


def summarise_cell(cell: Cell, jobs: Sequence[Job], canary_ns: float, label: str = "") -> Result:
    """Return one cell's result from its jobs; there may be none yet."""
    processes = derive_processes(jobs)
    deciding = select_deciding_job(processes)
    outcome, reason, advice = (deciding.outcome, deciding.reason, deciding.advice) if deciding else (None, "", "")
    starts = describe_starts(processes)
    processes = select_measured_jobs(processes) if outcome == "measured" else processes
    figures = collect_figures(processes)
    grade, flags = assess_disturbance(processes, canary_ns)
    return Result(
        cell=cell,
        label=label or cell.label,
        jobs=len(processes),
        outcome=outcome,
        reason=reason,
        advice=advice,
        **summarise_times(figures),
        **summarise_passes(figures),
        grade=grade,
        flags=flags,
        warnings=tuple(dict.fromkeys(chain.from_iterable(each.warnings for each in figures))),
        notes=tuple(dict.fromkeys([*chain.from_iterable(map(list_notes, figures)), *starts])),
        new_shapes=summarise_new_shapes(each.new_shapes for each in figures),
        portable=summarise_artefact(processes),
        model=next((each.model for each in processes), None),
        **summarise_verification(figures),
    )


def summarise_times(figures: Sequence[Figures]) -> dict[str, Any]:
    """Return the times of a cell by the names of the fields of its result."""
    started = select_fresh(figures)
    return {
        "floor_ns": median_interval([each.floor_ns for each in figures]),
        "typical_ns": median_interval([each.typical_ns for each in figures]),
        "first_ns": median_interval([each.first_result_ns for each in started]),
        "second_ns": median_interval([each.second_ns for each in started]),
        "steady_ns": median_interval(collect_settling_times_ns(started)),
        "steadiness": classify_steadiness([each.steady for each in figures]),
        "latency_ns": summarise_percentiles([each.percentiles for each in figures]),
        "overhead_ns": find_median([each.null_ns for each in figures]),
    }


def summarise_passes(figures: Sequence[Figures]) -> dict[str, Any]:
    """Return what the passes after all timing have found of a cell, by the names of the fields of its result."""
    return {
        "memory": summarise_memory_metrics([each.memory for each in figures if each.memory]),
        "growth": summarise_slopes(each.growth_slope for each in figures),
        "generation": summarise_generation(each.generation for each in figures),
        "throughput": summarise_throughput((each.typical_ns, each.throughput) for each in figures),
    }


def summarise_verification(figures: Sequence[Figures]) -> dict[str, Any]:
    """Return what was verified of a cell, and what bounds its figures, by the names of the fields of its result."""
    return {
        "bounded_by_cpu_time": any(each.bounded_by_cpu_time for each in figures),
        "referee": next((each.referee for each in figures), ""),
        "only_agrees": any(each.agreement for each in figures),
        "growth_bytes": find_median([each.growth_bytes for each in figures] or [0.0]),
        "inputs_sha256": next((each.inputs_sha256 for each in figures), ""),
        "likeness": next((each.likeness for each in figures), Likeness()),
        "accuracy": summarise_accuracy(figures),
        "sketched": next(filter(None, map(read_sketches, figures)), ()),
    }


def list_notes(figures: Figures) -> list[str]:
    """Return what a reader of a job's results must know, in sentences."""
    checked = f"Only agreement in float32 is checked: {figures.agreement}." if figures.agreement else ""
    return [*([checked] if checked else []), *figures.notes]


def find_median(values: Sequence[float]) -> float:
    """Return the median; NaN without values."""
    return statistics.median(values) if values else math.nan


def assess_disturbance(processes: Sequence[Process], canary_ns: float) -> tuple[Grade, frozenset[Flag]]:
    """Return the grade of a cell and all its flags, from its processes with a report."""
    reported = [process for process in processes if process.figures is not None]
    flagged = [find_flags(process, canary_ns) for process in reported]
    drift = is_drifting([figures.floor_ns for figures in collect_figures(reported)])
    return grade_cell(flagged, drift=drift), frozenset().union(*flagged, {Flag.DRIFT} if drift else ())


def select_deciding_job(jobs: Sequence[Job]) -> Process | None:
    """Return the job whose outcome is the outcome of the cell; None without jobs."""
    processes = derive_processes(jobs)
    # A cell with this many failures is given up, and so not measured, even if earlier jobs were.
    failed = [each for each in processes if each.outcome not in {*DECISIVE_OUTCOMES, *RERUN_OUTCOMES, "skipped"}]
    if len(failed) >= MAX_FAILURES:
        return failed[-1]
    for outcome in DECISIVE_OUTCOMES:
        for process in processes:
            if process.outcome == outcome:
                return process
    return processes[-1] if processes else None


def classify_steadiness(classes: Sequence[Kind]) -> Steadiness:
    """Return the class of nine processes in ten; `mixed` without such a class, `unknown` without processes."""
    kinds = Counter(classes)
    if not kinds:
        return "unknown"
    kind, count = kinds.most_common(1)[0]
    settled = kinds["flat"] + kinds["warm-up"]
    if settled >= AGREEING_SHARE * len(classes):
        return "flat" if kinds["flat"] >= AGREEING_SHARE * len(classes) else "warm-up"
    return kind if count >= AGREEING_SHARE * len(classes) else "mixed"
