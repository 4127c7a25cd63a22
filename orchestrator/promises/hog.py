"""Check that a busy process on the worker's core is noticed and filtered out, and its cell not called FASTER.

Samples are shorter than a time slice of the scheduler, so that some of them stay undisturbed.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.disturbance import LIMIT, lost_shares, undisturbed
from orchestrator.analysis.results import floor, typical
from orchestrator.promises import MS, Figure, Promise, compared, needing, of_cell, real, results, signed
from orchestrator.report.units import ratio
from schemas.job import Timing
from schemas.record import JobRecord

QUIET: Final = real(32)
HOGGED: Final = real(32, replica=1)
SLOWER: Final = real(96)
CELLS: Final = (QUIET, HOGGED, SLOWER)

# The hog may move the filtered typical time, relative to the process's floor, by this share.
MOVED: Final = 0.03

# A larger share of disturbed samples flags a process.
NOTICED: Final = 0.2


def promise() -> Promise:
    """Return the check: a cell beside a hog, the same cell alone, and a slower cell to compare with both."""
    return Promise(
        name="a CPU hog",
        says="is noticed and filtered out, and its cell is not called FASTER",
        cells=CELLS,
        blocks=8,
        hogged=frozenset({HOGGED.id}),
        judge=needing(CELLS, judge),
        timing=Timing(samples=60, sample_ns=6 * MS // 5, warmup_min_ns=50 * MS, warmup_max_ns=500 * MS),
    )


def judge(records: Sequence[JobRecord]) -> list[Figure]:
    """Judge the disturbed samples, the grade, the filtered times and the withheld claim."""
    quiet, hogged = ([each for each in of_cell(cell, records) if each.report is not None] for cell in (QUIET, HOGGED))
    return [noticed(quiet, hogged), grade(records), *filtered(quiet, hogged), withheld(records)]


def noticed(quiet: Sequence[JobRecord], hogged: Sequence[JobRecord]) -> Figure:
    """Judge the share of samples that the kernel's counters show to be disturbed."""
    without, beside = disturbed(quiet), disturbed(hogged)
    return Figure(
        what="disturbed samples",
        promised=f"more than {100 * NOTICED:g} %",
        kept=beside > NOTICED,
        got=f"{100 * beside:.0f} % ({100 * without:.0f} % without a hog)",
        numbers={"hogged": beside, "quiet": without},
    )


def disturbed(records: Sequence[JobRecord]) -> float:
    """Return the share of samples that lost more than half a per cent of their time."""
    reports = [(record.report, cores(record)) for record in records]
    lost = [share > LIMIT for report, own in reports if report is not None for share in lost_shares(report, own)]
    return sum(lost) / max(1, len(lost))


def grade(records: Sequence[JobRecord]) -> Figure:
    """Judge the grade of the cell beside the hog."""
    (found,) = results([HOGGED], records)
    got = f"{found.grade} ({', '.join(sorted(found.flags)) or 'no flags'})"
    return Figure(what="grade", promised="C", got=got, kept=found.grade == "C")


def filtered(quiet: Sequence[JobRecord], hogged: Sequence[JobRecord]) -> list[Figure]:
    """Judge how far the hog moves two times over the floor: the typical one, and the mean of the remaining samples.

    A sweep reports the typical time. A median forgives what a filter lets pass; a mean does not.
    """
    whole = statistics.median(mean(record, filtered=False) for record in hogged)
    return [
        little("filtered typical/floor", typical_over_floor, quiet, hogged),
        little("filtered mean/floor", partial(mean, filtered=True), quiet, hogged, f"{whole:.2f} unfiltered"),
    ]


def little(
    what: str,
    over_floor: Callable[[JobRecord], float],
    quiet: Sequence[JobRecord],
    hogged: Sequence[JobRecord],
    instead: str = "",
) -> Figure:
    """Judge a figure that a hog may change only a little, by its medians over processes."""
    without, beside = (statistics.median(map(over_floor, records)) for records in (quiet, hogged))
    moved = beside / without - 1
    return Figure(
        what=what,
        promised=f"moved by < {100 * MOVED:g} %",
        kept=abs(moved) < MOVED,
        got=signed(moved) + (f" ({instead})" if instead else ""),
        numbers={"quiet": without, "hogged": beside, "moved": moved},
    )


def typical_over_floor(record: JobRecord) -> float:
    """Return the median undisturbed sample over the fastest."""
    assert record.report is not None
    return math.exp(typical(record) - floor(record.report))


def mean(record: JobRecord, *, filtered: bool) -> float:
    """Return the mean of a process's samples, or of the undisturbed ones, over the fastest."""
    assert record.report is not None
    samples = record.report.samples_ns
    kept = undisturbed(record.report, cores(record)) if filtered else range(len(samples))
    return statistics.fmean(samples[index] for index in kept) / min(samples)


def cores(record: JobRecord) -> int:
    """Return the number of cores that a job had."""
    return len(record.spec.cpus) or record.host.cores


def withheld(records: Sequence[JobRecord]) -> Figure:
    """Judge that the hogged cell, which is faster than the slower one, is not called so for its grade alone."""
    pair = (SLOWER, HOGGED)
    # Compared once with nothing barred: only a claim that the grade alone prevents counts as withheld.
    (free,), (graded,) = compared(pair, records, barred=()), compared(pair, records)
    return Figure(
        what=f"verdict at ratio {ratio(free.ratio.estimate)}",
        promised="not FASTER",
        got=f"{graded.verdict}, {free.verdict} but for its grade",
        numbers={"ratio": free.ratio.estimate},
        kept=free.verdict is Verdict.FASTER and graded.verdict is not Verdict.FASTER,
    )
