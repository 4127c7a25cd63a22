"""Check that a busy process on the worker's core is noticed and filtered out, and causes no false claim.

Samples are shorter than a time slice of the scheduler, so that some of them stay undisturbed.
"""

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from orchestrator.analysis.compare import CLAIMS, Verdict
from orchestrator.analysis.derivation.disturbance import (
    LOST_SHARE_LIMIT,
    compute_lost_shares,
    count_cores,
    find_undisturbed_samples,
)
from orchestrator.analysis.derivation.samples import compute_floor_ns, compute_typical_ns
from orchestrator.format import format_ratio
from orchestrator.selftest.check import (
    MS,
    Check,
    Reading,
    compare_cells,
    evaluate_cells,
    format_signed,
    make_real_cell,
    require_measured,
    select_records,
)
from schemas.job import Timing
from schemas.record import JobRecord

QUIET: Final = make_real_cell(32)
HOGGED: Final = make_real_cell(32, replica=1)
SLOWER: Final = make_real_cell(96)
CELLS: Final = (QUIET, HOGGED, SLOWER)

# The hog may move the filtered typical time, relative to the process's floor, by this share.
MAX_SHIFT: Final = 0.03

# A larger share of disturbed samples flags a process.
MIN_DISTURBED_SHARE: Final = 0.2


def make_check() -> Check:
    """Return the check: a cell beside a hog, the same cell alone, and a slower cell to compare with both."""
    return Check(
        name="a CPU hog",
        statement="is noticed, causes no false claim, and hides no clear difference",
        cells=CELLS,
        blocks=8,
        hogged=frozenset({HOGGED.id}),
        judge=require_measured(CELLS, judge_records),
        timing=Timing(samples=60, sample_ns=6 * MS // 5, warmup_min_ns=50 * MS, warmup_max_ns=500 * MS),
    )


def judge_records(records: Sequence[JobRecord]) -> list[Reading]:
    """Judge the disturbed samples, the grade, the filtered times and the claims."""
    quiet, hogged = (
        [each for each in select_records(cell, records) if each.report is not None] for cell in (QUIET, HOGGED)
    )
    return [
        judge_disturbance(quiet, hogged),
        judge_grade(records),
        *judge_filter(quiet, hogged),
        judge_false_difference(records),
        judge_clear_difference(records),
    ]


def judge_disturbance(quiet: Sequence[JobRecord], hogged: Sequence[JobRecord]) -> Reading:
    """Judge the share of samples that the kernel's counters show to be disturbed."""
    quiet_share, hogged_share = compute_disturbed_share(quiet), compute_disturbed_share(hogged)
    return Reading(
        quantity="disturbed samples",
        expected=f"more than {100 * MIN_DISTURBED_SHARE:g} %",
        passed=hogged_share > MIN_DISTURBED_SHARE,
        found=f"{100 * hogged_share:.0f} % ({100 * quiet_share:.0f} % without a hog)",
        numbers={"hogged": hogged_share, "quiet": quiet_share},
    )


def compute_disturbed_share(records: Sequence[JobRecord]) -> float:
    """Return the share of samples that lost more than half a per cent of their time."""
    reports = [(record.report, count_cores(record)) for record in records]
    lost = [
        share > LOST_SHARE_LIMIT
        for report, own in reports
        if report is not None
        for share in compute_lost_shares(report, own)
    ]
    return sum(lost) / max(1, len(lost))


def judge_grade(records: Sequence[JobRecord]) -> Reading:
    """Judge the grade of the cell beside the hog."""
    (found,) = evaluate_cells([HOGGED], records)
    got = f"{found.grade} ({', '.join(sorted(found.flags)) or 'no flags'})"
    return Reading(quantity="grade", expected="C", found=got, passed=found.grade == "C")


def judge_filter(quiet: Sequence[JobRecord], hogged: Sequence[JobRecord]) -> list[Reading]:
    """Judge how far the hog moves two times over the floor: the typical one, and the mean of the remaining samples.

    A sweep reports the typical time. A median forgives what a filter lets pass; a mean does not.
    """
    unfiltered = statistics.median(mean_over_floor(record, filtered=False) for record in hogged)
    return [
        judge_shift("filtered typical/floor", typical_over_floor, quiet, hogged),
        judge_shift(
            "filtered mean/floor",
            partial(mean_over_floor, filtered=True),
            quiet,
            hogged,
            f"{unfiltered:.2f} unfiltered",
        ),
    ]


def judge_shift(
    quantity: str,
    over_floor: Callable[[JobRecord], float],
    quiet: Sequence[JobRecord],
    hogged: Sequence[JobRecord],
    note: str = "",
) -> Reading:
    """Judge a quantity that a hog may change only a little, by its medians over processes."""
    quiet_median, hogged_median = (statistics.median(map(over_floor, records)) for records in (quiet, hogged))
    moved = hogged_median / quiet_median - 1
    return Reading(
        quantity=quantity,
        expected=f"moved by < {100 * MAX_SHIFT:g} %",
        passed=abs(moved) < MAX_SHIFT,
        found=format_signed(moved) + (f" ({note})" if note else ""),
        numbers={"quiet": quiet_median, "hogged": hogged_median, "moved": moved},
    )


def typical_over_floor(record: JobRecord) -> float:
    """Return the median undisturbed sample over the fastest."""
    assert record.report is not None
    return compute_typical_ns(record) / compute_floor_ns(record.report)


def mean_over_floor(record: JobRecord, *, filtered: bool) -> float:
    """Return the mean of a process's samples, or of the undisturbed ones, over the fastest."""
    assert record.report is not None
    samples = record.report.samples_ns
    kept = find_undisturbed_samples(record.report, count_cores(record)) if filtered else range(len(samples))
    return statistics.fmean(samples[index] for index in kept) / min(samples)


def judge_false_difference(records: Sequence[JobRecord]) -> Reading:
    """Judge that no difference is claimed between the cell beside the hog and the same cell alone."""
    (found,) = compare_cells((QUIET, HOGGED), records)
    return Reading(
        quantity=f"same cell, ratio {format_ratio(found.ratio.estimate)}",
        expected="no claim",
        found=str(found.verdict),
        numbers={"ratio": found.ratio.estimate},
        passed=found.verdict not in CLAIMS,
    )


def judge_clear_difference(records: Sequence[JobRecord]) -> Reading:
    """Judge that the cell beside the hog is called faster than one that takes far longer."""
    (found,) = compare_cells((SLOWER, HOGGED), records)
    return Reading(
        quantity=f"slower cell, ratio {format_ratio(found.ratio.estimate)}",
        expected=str(Verdict.FASTER),
        found=str(found.verdict),
        numbers={"ratio": found.ratio.estimate},
        passed=found.verdict is Verdict.FASTER,
    )
