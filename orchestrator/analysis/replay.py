"""How other tools decide whether two sets of times differ, replayed on ours. Rules, not the tools themselves.

Each takes nanoseconds per call and says whether its tool would hold the two apart. The tools take samples of other
lengths and in other numbers; what is replayed is the decision.
"""

import math
from typing import Final

import numpy as np
from scipy import stats

from orchestrator.analysis.statistics import Floats

LEVEL: Final = 0.05
NOISE_THRESHOLD: Final = 0.01
NORMAL_95: Final = 1.96
TORCH_Z: Final = 1.645
TORCH_LEAST_NS: Final = 25.0


def pooled_t(one: Floats, other: Floats) -> bool:
    """pyperf's `compare_to`: Student's t test with pooled variance over all values of all processes.

    pyperf/_compare.py, is_significant_benchs; pyperf/_utils.py, is_significant and tscore.
    """
    return bool(stats.ttest_ind(one, other).pvalue <= LEVEL)


def welch_beyond_threshold(one: Floats, other: Floats) -> bool:
    """criterion.rs: means that differ at five per cent, by a change whose interval lies beyond one per cent.

    src/analysis/compare.rs and src/report.rs, compare_to_threshold. It resamples where this takes Welch's test and the
    normal interval of a ratio of means.
    """
    if not stats.ttest_ind(one, other, equal_var=False).pvalue < LEVEL:
        return False
    change, spread = other.mean() / one.mean() - 1, NORMAL_95 * _ratio_error(one, other)
    return bool(change - spread > NOISE_THRESHOLD or change + spread < -NOISE_THRESHOLD)


def _ratio_error(one: Floats, other: Floats) -> float:
    """Standard error of mean(other) / mean(one), by the delta method."""
    parts = [values.var(ddof=1) / values.size / values.mean() ** 2 for values in (one, other)]
    return float(other.mean() / one.mean() * math.sqrt(sum(parts)))


def disjoint(one: Floats, other: Floats) -> bool:
    """torch.utils.benchmark: medians whose intervals, by the precision that it prints them with, do not meet.

    torch/utils/benchmark/utils/common.py, Measurement.significant_figures.
    """
    (low, high), (again_low, again_high) = _torch_interval(one), _torch_interval(other)
    return high < again_low or again_high < low


def _torch_interval(values: Floats) -> tuple[float, float]:
    """Median plus or minus 1.645 standard errors of the middle half, and never less than 25 ns."""
    ordered = np.sort(values)
    middle = ordered[ordered.size // 4 : math.ceil(3 * ordered.size / 4)]
    half = max(TORCH_Z * float(middle.std()) / math.sqrt(middle.size), TORCH_LEAST_NS)
    return float(np.median(ordered)) - half, float(np.median(ordered)) + half
