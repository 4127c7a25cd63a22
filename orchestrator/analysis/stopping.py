"""The stopping rule of a sweep: enough precision at one of the planned looks, and never significance."""

from collections.abc import Sequence

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.results import group_results
from orchestrator.analysis.statistics.looks import ALPHA, LOOKS, blocks_needed
from orchestrator.records.attempts import last_attempts
from schemas.job import Cell
from schemas.record import JobRecord
from schemas.sweep import SweepSpec


def has_reached_half_width(comparisons: Sequence[Comparison], target: float, *, baseline: str | None = None) -> bool:
    """Return True if every ratio (to `baseline`, if given) has at most the half-width `target` on the log scale."""
    return all(
        found.log_half_width <= target
        for found in comparisons
        if baseline is None or baseline in (found.baseline, found.cell)
    )


def should_stop(
    k: int, comparisons: Sequence[Comparison], target: float, *, baseline: str | None = None, alpha: float = ALPHA
) -> bool:
    """Return True if a sweep may end after `k` blocks: at a look with narrow enough intervals, or at the last look.

    A look does not count if it is too early for this number of pairs to reach significance.
    """
    # Significance plays no part here: stopping on it would make false claims common.
    if k >= LOOKS[-1]:
        return True
    if k not in LOOKS or k < blocks_needed(len(comparisons), alpha):
        return False
    return has_reached_half_width(comparisons, target, baseline=baseline)


def is_sweep_precise(spec: SweepSpec, cells: Sequence[Cell], records: Sequence[JobRecord], block: int) -> bool:
    """Return True if every group has reached the requested precision. Significance plays no part."""
    if block not in LOOKS and block < LOOKS[-1]:
        return False
    return all(
        should_stop(block, each.comparisons, spec.stop.precision, baseline=each.baseline)
        for each in group_results(last_attempts(records), cells, spec.baseline, spec.margin)
    )
