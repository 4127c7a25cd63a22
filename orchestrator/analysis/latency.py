"""Percentiles of single calls: over the calls of each process, then over the processes of a cell.

Calls of one process share its memory layout and its neighbours, so pooled calls would make the intervals too narrow.
Each percentile is therefore a median over processes, with its interval over them.
"""

from collections.abc import Mapping, Sequence

from orchestrator.analysis.statistics.intervals import Interval, estimate_percentile, median_interval
from schemas.event import Report

PERCENTILES = (50, 90, 99)


def compute_latency_percentiles(reports: Sequence[Report]) -> Mapping[str, Interval]:
    """Compute the percentiles of single calls in nanoseconds, by name: `p50`, `p90`, `p99`.

    A percentile is left out unless every process made enough calls for it. Without single calls there is none.
    """
    found = dict[str, Interval]()
    for q in PERCENTILES:
        each = [estimate_percentile(report.latency_ns, q) for report in reports]
        known = [value for value in each if value is not None]
        if known and len(known) == len(each):
            found[f"p{q}"] = median_interval(known)
    return found
