"""A run as rows of a table: one for each cell, job or sample.

Column names end in their unit. A figure is None if the data do not support it or its cell was not properly measured.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

from orchestrator.analysis.accuracy import Accuracy
from orchestrator.analysis.costs.generation import Generation
from orchestrator.analysis.costs.throughput import Throughput, find_best
from orchestrator.analysis.derivation.percentiles import PERCENTILES
from orchestrator.analysis.job_rows import Row, cell_to_columns
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.statistics.intervals import NO_INTERVAL, Interval
from schemas.job import Cell

Per = Literal["cell", "job", "sample"]
NamedIntervals: TypeAlias = dict[str, Interval]

PERCENTILE_NAMES = tuple(f"p{q}" for q in PERCENTILES)

CELL = {"cell", "label", *Cell.model_fields}


def align_columns(rows: Iterable[tuple[Row, Row]]) -> list[Row]:
    """Return each row after its head. Each has every column, including those of all parameters."""
    found = list(rows)
    # The sort is stable: within each place, columns keep the order in which they first appear.
    columns = sorted(dict.fromkeys(column for _, row in found for column in row), key=column_place)
    return [head | {column: row.get(column) for column in columns} for head, row in found]


def column_place(column: str) -> int:
    """Return the place of a column: the identity of the cell first, its parameters next, then the rest."""
    return 0 if column in CELL else 1 if column.startswith("parameter_") else 2


def build_cell_rows(groups: Sequence[Group]) -> Iterator[Row]:
    """Yield a row for each cell, with its rank among those that compute the same."""
    for group in groups:
        places = {standing.cell: standing for standing in group.standings}
        for result in group.results:
            place, against = places.get(result.label), group.against.get(result.label)
            yield result_to_row(result) | {
                "computation": group.title,
                "rank_best": place.best if place else None,
                "rank_worst": place.worst if place else None,
                "baseline": group.baseline or None,
                **interval_to_columns("ratio", "", against.ratio if against else None),
                **interval_to_columns(
                    "undisturbed_ratio", "", (against.undisturbed or against.ratio) if against else None
                ),
                "verdict": str(against.verdict) if against else None,
            }


def result_to_row(result: Result) -> Row:
    """Return the results of a cell over all its processes."""
    sound = result.outcome == "measured"
    times: NamedIntervals = {
        "floor": result.floor_ns,
        "typical": result.typical_ns,
        "first_result": result.first_ns,
        "second_call": result.second_ns,
        "to_steady": result.steady_ns,
    }
    times |= {f"latency_{name}": result.latency_ns.get(name, NO_INTERVAL) for name in PERCENTILE_NAMES}
    memory: NamedIntervals = {str(metric): interval for metric, interval in result.memory.items()}
    return {
        **cell_to_columns(result.cell),
        "outcome": result.outcome,
        "reason": result.reason or None,
        "processes": result.jobs,
        "grade": result.grade,
        "flags": ",".join(sorted(result.flags)) or None,
        "steadiness": result.steadiness,
        "error_to_first": result.likeness.error,
        "right_answers": result.likeness.right,
        "answers": result.likeness.answers,
        **accuracy_to_columns(result.accuracy),
        **intervals_to_columns(times, "_ns", sound=sound),
        "loop_overhead_ns": finite_or_none(result.overhead_ns),
        **intervals_to_columns(memory, "_bytes", sound=sound),
        **generation_to_columns(result.generation if sound else None),
        **growth_to_columns(result.growth if sound else None),
        **throughput_to_columns(result.throughput if sound else ()),
    }


def accuracy_to_columns(accuracy: Accuracy | None) -> Row:
    """Return the largest error, the tolerance of its tensor and the share of rows with equal arg-max."""
    return {
        "largest_error": accuracy.error if accuracy else None,
        "error_tolerance": accuracy.tolerance if accuracy else None,
        "equal_argmax": accuracy.equal_argmax if accuracy else None,
    }


def generation_to_columns(found: Generation | None) -> Row:
    """Return the number of calls in a loop, the times of the first, the second and the last, and what it keeps."""
    times = found.call_ns if found else {}
    return {
        "generation_calls": found.calls if found else None,
        "generation_first_ns": finite_or_none(times.get(1, NO_INTERVAL).estimate),
        "generation_second_ns": finite_or_none(times.get(2, NO_INTERVAL).estimate),
        "generation_last_ns": finite_or_none(times.get(found.calls if found else 0, NO_INTERVAL).estimate),
        "generation_kept_bytes": finite_or_none(found.kept.estimate if found else math.nan),
    }


def growth_to_columns(growth: Interval | None) -> Row:
    """Return the slope of memory with its ends, which may be zero or below."""
    slope = growth or NO_INTERVAL
    return {
        "growth_bytes_per_call": finite_or_none(slope.estimate),
        "growth_low_bytes_per_call": finite_or_none(slope.low),
        "growth_high_bytes_per_call": finite_or_none(slope.high),
    }


def throughput_to_columns(served: Sequence[Throughput]) -> Row:
    """Return the most requests a second, and the numbers of clients and of processes with which they were answered."""
    best = find_best(served)
    rate = best.per_second if best else NO_INTERVAL
    return {
        "requests_per_second": finite_or_none(rate.estimate),
        "requests_low_per_second": finite_or_none(rate.low),
        "requests_high_per_second": finite_or_none(rate.high),
        "requests_clients": best.clients if best else None,
        "requests_processes": best.processes if best else None,
    }


def intervals_to_columns(named: NamedIntervals, unit: str, *, sound: bool) -> Row:
    """Return three columns for each interval; empty if they do not count."""
    return {
        column: number
        for name, interval in named.items()
        for column, number in interval_to_columns(name, unit, interval if sound else None).items()
    }


def interval_to_columns(name: str, unit: str, interval: Interval | None) -> Row:
    """Return an estimate and its ends. A low end of zero is None: no time and no size is known to be that small."""
    numbers = (interval.estimate, interval.low or -math.inf, interval.high) if interval else (math.nan,) * 3
    return {
        f"{name}{end}{unit}": finite_or_none(float(number))
        for end, number in zip(("", "_low", "_high"), numbers, strict=True)
    }


def finite_or_none(value: float) -> float | None:
    """Return a number for JSON, which has no infinity and no NaN."""
    return value if math.isfinite(value) else None
