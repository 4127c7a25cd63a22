"""Of one real cell, measured six times over as if it were six, no two come out as different."""

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
    """Twelve blocks, the first look at which fifteen pairs can be significant."""
    return Promise(
        name="six clones",
        says="of one cell measured six times over, no pair comes out as different",
        cells=CELLS,
        blocks=12,
        judge=needing(CELLS, judge),
        by_chance=ALPHA,
        timing=Timing(samples=20, sample_ns=5 * MS, warmup_min_ns=50 * MS, warmup_max_ns=500 * MS),
    )


def judge(records: Sequence[JobRecord]) -> list[Figure]:
    """How many of the pairs were claimed to differ."""
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
