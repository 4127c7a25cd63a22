"""Intervals and comparisons as data, for documents of any kind."""

from typing import Any

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.rows import finite_or_none
from orchestrator.analysis.statistics.intervals import Interval


def comparison_to_dict(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison of two cells as data."""
    return {
        "baseline": comparison.baseline,
        "cell": comparison.cell,
        "blocks": comparison.blocks,
        "ratio": interval_to_dict(comparison.ratio),
        "undisturbed": interval_to_dict(comparison.undisturbed or comparison.ratio),
        "typical_ratio": interval_to_dict(comparison.typical_ratio),
        "p": finite_or_none(comparison.p),
        "significant": comparison.significant,
        "verdict": str(comparison.verdict),
        "reason": comparison.reason,
    }


def interval_to_dict(interval: Interval) -> dict[str, float | None]:
    """Return an estimate with its ends; an end that the data do not support is null."""
    # Times and sizes are above zero: a low end of zero says that there is none.
    return {
        "estimate": finite_or_none(interval.estimate),
        "low": finite_or_none(interval.low) or None,
        "high": finite_or_none(interval.high),
    }
