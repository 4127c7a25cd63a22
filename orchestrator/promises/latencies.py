"""Check that calls of known length are measured at that length, from ten microseconds to a tenth of a second.

A call takes its known time plus an overhead of a few tenths of a microsecond. The overhead starts and ends the spin (a
few readings of the clock), frees the previous call's result, and runs the timing loop. Steps from each latency to the
next are free of it; the long latencies are also judged as a whole.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from orchestrator.analysis.results import floor
from orchestrator.promises import MS, TOLERANCE, Figure, Promise, measured, needing, signed, spin
from orchestrator.report.units import duration
from schemas.job import Timing
from schemas.record import JobRecord

LATENCIES_NS: Final = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
# From this latency on, the overhead of a call is too small to matter.
WHOLE_FROM_NS: Final = 1_000_000

CELLS: Final = tuple(map(spin, LATENCIES_NS))


def promise() -> Promise:
    """Return the check: five latencies, three processes each."""
    return Promise(
        name="known latencies",
        says="calls of known length, 10 µs to 100 ms, measured within 0.5 %",
        cells=CELLS,
        blocks=3,
        judge=needing(CELLS, judge),
        timing=Timing(samples=8, sample_ns=5 * MS, warmup_min_ns=20 * MS, warmup_max_ns=100 * MS),
    )


def judge(records: Sequence[JobRecord]) -> list[Figure]:
    """Judge the overhead, the steps, and the long latencies, each by the median of its processes' floors."""
    reports = [measured(cell, records) for cell in CELLS]
    floors = {
        truth: statistics.median(1e9 * math.exp(floor(report)) for report in found)
        for truth, found in zip(LATENCIES_NS, reports, strict=True)
    }
    loop_ns = statistics.median(report.overhead.null_ns for found in reports for report in found)
    return [
        on_top(floors[LATENCIES_NS[0]] - LATENCIES_NS[0], loop_ns),
        *(step(before, after, floors) for before, after in pairwise(LATENCIES_NS)),
        *(whole(truth, floors[truth] - loop_ns) for truth in LATENCIES_NS if truth >= WHOLE_FROM_NS),
    ]


def on_top(cost_ns: float, loop_ns: float) -> Figure:
    """Judge the time that the shortest call takes beyond its known length, which cannot be negative."""
    return Figure(
        what=f"{duration(LATENCIES_NS[0])} call",
        promised="at least that long",
        kept=cost_ns >= 0,
        got=f"{duration(cost_ns)} overhead (loop: {duration(loop_ns)})",
        numbers={"on_top_ns": cost_ns, "loop_ns": loop_ns},
    )


def step(before: int, after: int, floors: Mapping[int, float]) -> Figure:
    """Judge the step from one latency to the next."""
    return within(f"{duration(before)} to {duration(after)}", after - before, floors[after] - floors[before])


def whole(truth: int, got_ns: float) -> Figure:
    """Judge one latency, less the timing loop."""
    return within(f"{duration(truth)} call", truth, got_ns)


def within(what: str, truth_ns: float, got_ns: float) -> Figure:
    """Judge a time by its known value."""
    error = got_ns / truth_ns - 1
    return Figure(
        what=what,
        promised=f"{duration(truth_ns)} ± {100 * TOLERANCE:g} %",
        kept=abs(error) <= TOLERANCE,
        got=f"{duration(got_ns)} ({signed(error)})",
        numbers={"truth_ns": truth_ns, "got_ns": got_ns, "error": error},
    )
