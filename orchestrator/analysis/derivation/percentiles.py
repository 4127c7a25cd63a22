"""Percentiles of the single calls of one process."""

from orchestrator.analysis.statistics.intervals import estimate_percentile
from schemas.event import Report

PERCENTILES = (50, 90, 99)


def find_percentiles(report: Report) -> tuple[float | None, ...]:
    """Return the percentiles of one process in nanoseconds; None for one that needs more calls, empty without any."""
    return tuple(estimate_percentile(report.latency_ns, q) for q in PERCENTILES) if report.latency_ns else ()
