"""Check that a cell that takes 3 % longer than another is called SLOWER, by an interval that covers the truth."""

from collections.abc import Sequence
from typing import Final

from orchestrator.analysis.compare import Verdict, should_stop
from orchestrator.analysis.statistics import ALPHA
from orchestrator.promises import MS, Figure, Promise, compared, needing, results, spin
from schemas.job import Timing
from schemas.record import JobRecord

TIMES_NS: Final = (1_000_000, 1_030_000)
RATIO: Final = TIMES_NS[1] / TIMES_NS[0]
CELLS: Final = tuple(spin(spin_ns, task="forward") for spin_ns in TIMES_NS)
MOST_BLOCKS: Final = 16
TARGET: Final = 0.02


def promise() -> Promise:
    """Return the check: two cells, up to sixteen blocks, fewer if a sweep would stop."""
    return Promise(
        name="a twin 3 % slower",
        says="SLOWER within 16 blocks, by an interval that covers 1.03",
        cells=CELLS,
        blocks=MOST_BLOCKS,
        judge=needing(CELLS, judge),
        by_chance=ALPHA,
        enough=lambda records, block: should_stop(block, compared(CELLS, records), TARGET),
        timing=Timing(samples=10, sample_ns=5 * MS, warmup_min_ns=20 * MS, warmup_max_ns=200 * MS),
    )


def judge(records: Sequence[JobRecord]) -> list[Figure]:
    """Judge the verdict on the slower cell, and its ratio."""
    (found,) = compared(CELLS, records)
    grades = ", ".join(each.grade for each in results(CELLS, records))
    times = found.ratio
    return [
        Figure(
            what="verdict",
            promised=str(Verdict.SLOWER),
            kept=found.verdict is Verdict.SLOWER,
            got=f"{found.verdict}, {found.blocks} blocks ({grades})",
            numbers={"blocks": found.blocks},
        ),
        Figure(
            what="ratio",
            promised=f"covers {RATIO:g}",
            kept=times.low <= RATIO <= times.high,
            got=f"{times.estimate:.5f} ({times.low:.5f}–{times.high:.5f})",
            numbers={"estimate": times.estimate, "low": times.low, "high": times.high},
        ),
    ]
