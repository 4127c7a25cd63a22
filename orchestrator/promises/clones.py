"""Check that no two of six clones of one real cell are reported as different."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from orchestrator.analysis.compare import CLAIMS
from orchestrator.analysis.statistics import ALPHA
from orchestrator.promises import MS, Figure, Promise, compared, needing, real
from schemas.job import Timing
from schemas.record import JobRecord

CELLS: Final = tuple(real(20, replica) for replica in range(6))


def promise() -> Promise:
    """Return the check: twelve blocks, the first look at which fifteen pairs can be significant."""
    return Promise(
        name="six clones",
        says="no two of six clones of one cell are reported as different",
        cells=CELLS,
        blocks=12,
        judge=needing(CELLS, judge),
        by_chance=ALPHA,
        timing=Timing(samples=20, sample_ns=5 * MS, warmup_min_ns=50 * MS, warmup_max_ns=500 * MS),
    )


def judge(records: Sequence[JobRecord]) -> list[Figure]:
    """Judge the number of pairs that were claimed to differ."""
    found = compared(CELLS, records)
    claims = [each for each in found if each.verdict in CLAIMS]
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in Counter(each.verdict for each in found).items())
    widest = max(each.log_half_width for each in found)
    return [
        Figure(
            what=f"claims about {len(found)} pairs",
            promised="none",
            got=f"{len(claims) or 'none'} ({verdicts})",
            kept=not claims,
            numbers={"claims": len(claims), "pairs": len(found)},
        ),
        Figure(
            what="half-width of a ratio",
            promised="",
            got=f"at most {100 * widest:.1f} %, {found[0].blocks} blocks",
            kept=None,
            numbers={"half_width": widest},
        ),
    ]
