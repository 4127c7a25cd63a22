"""Decision rules of other tools, applied to the samples of Plumbline.

Each rule takes nanoseconds per call, and returns True if its tool would report a difference. Only the decision is
reproduced: the tools themselves take other numbers of samples, of other lengths.
"""

import math
from typing import Final

import numpy as np
from scipy import stats

from orchestrator.analysis.statistics.intervals import Floats

# Defaults of the tools: the level is that of pyperf and criterion.rs, the threshold that of criterion.rs.
LEVEL: Final = 0.05
NOISE_THRESHOLD: Final = 0.01
NORMAL_95: Final = 1.96
TORCH_Z: Final = 1.645
TORCH_LEAST_NS: Final = 25.0


def pyperf_differs(one: Floats, other: Floats) -> bool:
    """Apply pyperf's `compare_to`: Student's t test with pooled variance over all values of all processes.

    pyperf/_compare.py, is_significant_benchs; pyperf/_utils.py, is_significant and tscore.
    """
    return bool(stats.ttest_ind(one, other).pvalue <= LEVEL)


def criterion_differs(one: Floats, other: Floats) -> bool:
    """Apply criterion.rs: means differ at the level of 5 %, and the change's interval lies beyond 1 %.

    src/analysis/compare.rs and src/report.rs, compare_to_threshold. Criterion resamples; this uses Welch's test and the
    normal interval of a ratio of means instead.
    """
    if not stats.ttest_ind(one, other, equal_var=False).pvalue < LEVEL:
        return False
    change, spread = other.mean() / one.mean() - 1, NORMAL_95 * _ratio_error(one, other)
    return bool(change - spread > NOISE_THRESHOLD or change + spread < -NOISE_THRESHOLD)


def _ratio_error(one: Floats, other: Floats) -> float:
    """Return the standard error of mean(other) / mean(one), by the delta method."""
    parts = [values.var(ddof=1) / values.size / values.mean() ** 2 for values in (one, other)]
    return float(other.mean() / one.mean() * math.sqrt(sum(parts)))


def torch_differs(one: Floats, other: Floats) -> bool:
    """Apply torch.utils.benchmark: the intervals that its printed precision implies for the medians are disjoint.

    torch/utils/benchmark/utils/common.py, Measurement.significant_figures.
    """
    (low, high), (again_low, again_high) = _torch_interval(one), _torch_interval(other)
    return high < again_low or again_high < low


def _torch_interval(values: Floats) -> tuple[float, float]:
    """Return the median plus or minus 1.645 standard errors of the middle half, and at least 25 ns."""
    ordered = np.sort(values)
    middle = ordered[ordered.size // 4 : math.ceil(3 * ordered.size / 4)]
    half = max(TORCH_Z * float(middle.std()) / math.sqrt(middle.size), TORCH_LEAST_NS)
    return float(np.median(ordered)) - half, float(np.median(ordered)) + half
