"""Check that no two of six clones of one real cell are reported as different."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from orchestrator.analysis.compare import CLAIMS
from orchestrator.analysis.statistics.looks import ALPHA
from orchestrator.selftest.check import MS, Check, Reading, compare_cells, make_real_cell, require_measured
from schemas.job import Timing
from schemas.record import JobRecord

CELLS: Final = tuple(make_real_cell(20, replica) for replica in range(6))


def make_check() -> Check:
    """Return the check: twelve blocks, the first look at which fifteen pairs can be significant."""
    return Check(
        name="six clones",
        statement="no two of six clones of one cell are reported as different",
        cells=CELLS,
        blocks=12,
        judge=require_measured(CELLS, judge_records),
        failing_by_chance=ALPHA,
        timing=Timing(samples=20, sample_ns=5 * MS, warmup_min_ns=50 * MS, warmup_max_ns=500 * MS),
    )


def judge_records(records: Sequence[JobRecord]) -> list[Reading]:
    """Judge the number of pairs that were claimed to differ."""
    found = compare_cells(CELLS, records)
    claims = [each for each in found if each.verdict in CLAIMS]
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in Counter(each.verdict for each in found).items())
    widest = max(each.log_half_width for each in found)
    return [
        Reading(
            quantity=f"claims about {len(found)} pairs",
            expected="none",
            found=f"{len(claims) or 'none'} ({verdicts})",
            passed=not claims,
            numbers={"claims": len(claims), "pairs": len(found)},
        ),
        Reading(
            quantity="half-width of a ratio",
            expected="",
            found=f"at most {100 * widest:.1f} %, {found[0].blocks} blocks",
            passed=None,
            numbers={"half_width": widest},
        ),
    ]
