"""Percentiles of single calls: over the calls of each process, then over the processes of a cell.

Calls of one process share its memory layout and its neighbours, so pooled calls would make the intervals too narrow.
Each percentile is therefore a median over processes, with its interval over them.
"""

from collections.abc import Mapping, Sequence

from orchestrator.analysis.derivation.percentiles import PERCENTILES
from orchestrator.analysis.statistics.intervals import Interval, median_interval


def summarise_percentiles(processes: Sequence[Sequence[float | None]]) -> Mapping[str, Interval]:
    """Return the percentiles of a cell in nanoseconds, by name: `p50`, `p90`, `p99`, from those of each process.

    A percentile is left out unless every process made enough calls for it. Without single calls there is none.
    """
    found = dict[str, Interval]()
    for place, q in enumerate(PERCENTILES):
        each = [of_process[place] if of_process else None for of_process in processes]
        known = [value for value in each if value is not None]
        if known and len(known) == len(each):
            found[f"p{q}"] = median_interval(known)
    return found
