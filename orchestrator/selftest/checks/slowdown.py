"""Check that a cell that takes 3 % longer than another is called SLOWER, by an interval that covers the truth."""

from collections.abc import Sequence
from typing import Final

from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.statistics.looks import ALPHA
from orchestrator.analysis.stopping import should_stop
from orchestrator.selftest.check import (
    MS,
    Check,
    Reading,
    compare_cells,
    evaluate_cells,
    make_spin_cell,
    require_measured,
)
from schemas.job import Timing
from schemas.record import JobRecord

TIMES_NS: Final = (1_000_000, 1_030_000)
RATIO: Final = TIMES_NS[1] / TIMES_NS[0]
CELLS: Final = tuple(make_spin_cell(spin_ns, task="forward") for spin_ns in TIMES_NS)
MAX_BLOCKS: Final = 16
TARGET_PRECISION: Final = 0.02


def make_check() -> Check:
    """Return the check: two cells, up to sixteen blocks, fewer if a sweep would stop."""
    return Check(
        name="a twin 3 % slower",
        statement="SLOWER within 16 blocks, by an interval that covers 1.03",
        cells=CELLS,
        blocks=MAX_BLOCKS,
        judge=require_measured(CELLS, judge_records),
        failing_by_chance=ALPHA,
        enough=lambda records, block: should_stop(block, compare_cells(CELLS, records), TARGET_PRECISION),
        timing=Timing(samples=10, sample_ns=5 * MS, warmup_min_ns=20 * MS, warmup_max_ns=200 * MS),
    )


def judge_records(records: Sequence[JobRecord]) -> list[Reading]:
    """Judge the verdict on the slower cell, and its ratio."""
    (found,) = compare_cells(CELLS, records)
    grades = ", ".join(each.grade for each in evaluate_cells(CELLS, records))
    times = found.ratio
    return [
        Reading(
            quantity="verdict",
            expected=str(Verdict.SLOWER),
            passed=found.verdict is Verdict.SLOWER,
            found=f"{found.verdict}, {found.blocks} blocks ({grades})",
            numbers={"blocks": found.blocks},
        ),
        Reading(
            quantity="ratio",
            expected=f"covers {RATIO:g}",
            passed=times.low <= RATIO <= times.high,
            found=f"{times.estimate:.5f} ({times.low:.5f}–{times.high:.5f})",
            numbers={"estimate": times.estimate, "low": times.low, "high": times.high},
        ),
    ]
