"""Check that calls of known length are measured at that length, from ten microseconds to a tenth of a second.

A call takes its known time plus an overhead of a few tenths of a microsecond. The overhead starts and ends the spin (a
few readings of the clock), frees the previous call's result, and runs the timing loop. Steps from each latency to the
next are free of it; the long latencies are also judged as a whole.
"""

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from orchestrator.analysis.derivation.samples import compute_floor_ns
from orchestrator.format import format_duration
from orchestrator.selftest.check import (
    MS,
    TOLERANCE,
    Check,
    Reading,
    format_signed,
    make_spin_cell,
    require_measured,
    select_reports,
)
from schemas.job import Timing
from schemas.record import JobRecord

LATENCIES_NS: Final = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
# From this latency on, the overhead of a call is too small to matter.
WHOLE_FROM_NS: Final = 1_000_000

CELLS: Final = tuple(map(make_spin_cell, LATENCIES_NS))


def make_check() -> Check:
    """Return the check: five latencies, three processes each."""
    return Check(
        name="known latencies",
        statement="calls of known length, 10 µs to 100 ms, measured within 0.5 %",
        cells=CELLS,
        blocks=3,
        judge=require_measured(CELLS, judge_records),
        timing=Timing(samples=8, sample_ns=5 * MS, warmup_min_ns=20 * MS, warmup_max_ns=100 * MS),
    )


def judge_records(records: Sequence[JobRecord]) -> list[Reading]:
    """Judge the overhead, the steps, and the long latencies, each by the median of its processes' floors."""
    reports = [select_reports(cell, records) for cell in CELLS]
    floors = {
        truth: statistics.median(compute_floor_ns(report) for report in found)
        for truth, found in zip(LATENCIES_NS, reports, strict=True)
    }
    loop_ns = statistics.median(report.overhead.null_ns for found in reports for report in found)
    return [
        judge_overhead(floors[LATENCIES_NS[0]] - LATENCIES_NS[0], loop_ns),
        *(judge_step(before, after, floors) for before, after in pairwise(LATENCIES_NS)),
        *(judge_latency(truth, floors[truth] - loop_ns) for truth in LATENCIES_NS if truth >= WHOLE_FROM_NS),
    ]


def judge_overhead(overhead_ns: float, loop_ns: float) -> Reading:
    """Judge the time that the shortest call takes beyond its known length, which cannot be negative."""
    return Reading(
        quantity=f"{format_duration(LATENCIES_NS[0])} call",
        expected="at least that long",
        passed=overhead_ns >= 0,
        found=f"{format_duration(overhead_ns)} overhead (loop: {format_duration(loop_ns)})",
        numbers={"on_top_ns": overhead_ns, "loop_ns": loop_ns},
    )


def judge_step(before: int, after: int, floors: Mapping[int, float]) -> Reading:
    """Judge the step from one latency to the next."""
    return judge_time(
        f"{format_duration(before)} to {format_duration(after)}", after - before, floors[after] - floors[before]
    )


def judge_latency(truth: int, found_ns: float) -> Reading:
    """Judge one latency, less the timing loop."""
    return judge_time(f"{format_duration(truth)} call", truth, found_ns)


def judge_time(quantity: str, truth_ns: float, found_ns: float) -> Reading:
    """Judge a time by its known value."""
    error = found_ns / truth_ns - 1
    return Reading(
        quantity=quantity,
        expected=f"{format_duration(truth_ns)} ± {100 * TOLERANCE:g} %",
        passed=abs(error) <= TOLERANCE,
        found=f"{format_duration(found_ns)} ({format_signed(error)})",
        numbers={"truth_ns": truth_ns, "got_ns": found_ns, "error": error},
    )
