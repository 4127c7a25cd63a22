"""Decision rules of other tools, applied to the samples of a run of clones that Plumbline measured.

    python -m orchestrator selftest --aa --budget 10m
    python tests/benchmarks/other_tools.py latest

prints, beside the rates of Plumbline, how often each rule tells the same clones apart. Each rule takes nanoseconds per
call, and returns True if its tool would report a difference. Only the decision is reproduced: the tools themselves take
other numbers of samples, of other lengths.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from rich.console import Console
from scipy import stats

from orchestrator.analysis.statistics.intervals import Floats
from orchestrator.records.store import find_run
from orchestrator.report.false_positives import build_rates_table
from orchestrator.selftest import false_positives
from orchestrator.selftest.false_positives import Experiment, FalsePositiveRate, cut_experiments
from schemas.record import JobRecord

# Defaults of the tools: the level is that of pyperf and criterion.rs, the threshold that of criterion.rs.
LEVEL: Final = 0.05
NOISE_THRESHOLD: Final = 0.01
NORMAL_95: Final = 1.96
TORCH_Z: Final = 1.645
TORCH_LEAST_NS: Final = 25.0

Rule: TypeAlias = Callable[[Floats, Floats], bool]
Processes: TypeAlias = Sequence[JobRecord]


def main() -> None:
    """Print the rates of Plumbline and of the other tools on the clones of one run."""
    parser = argparse.ArgumentParser(description="Apply the decision rules of other tools to a run of clones.")
    parser.add_argument(
        "run", help="a run of `selftest --aa` or of false_positives.py: its name or part of it, or latest"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="the folder that holds the runs")
    asked = parser.parse_args()
    run = find_run(asked.runs, asked.run)
    experiments = cut_experiments(run.read_records(), run.read_manifest().cells)
    own = [replace(rate, trial=f"Plumbline, {rate.trial}") for rate in false_positives.compute_rates(experiments)]
    Console().print(build_rates_table([*own, *compute_rates(experiments)]))
    print(f"{run.name}: {len(experiments)} complete experiments")


def compute_rates(experiments: Sequence[Experiment]) -> tuple[FalsePositiveRate, ...]:
    """Compute the rate at which each rule tells the clones of these experiments apart."""
    pairs = [
        (experiment[one], experiment[other]) for experiment in experiments for one, other in combinations(experiment, 2)
    ]
    halves = [half for pair in pairs for half in cross_halves(*pair)]
    single = [([one], [other]) for pair in pairs for one, other in zip(*pair, strict=True)]
    return (
        count_claims("pyperf, processes interleaved", pyperf_differs, pairs),
        count_claims("pyperf, one after the other", pyperf_differs, halves),
        count_claims("criterion.rs, one process each", criterion_differs, single),
        count_claims("torch, one process each", torch_differs, single),
    )


def count_claims(trial: str, rule: Rule, pairs: Sequence[tuple[Processes, Processes]]) -> FalsePositiveRate:
    """Count the pairs of clones that a rule tells apart."""
    claimed = [rule(collect_sample_times(one), collect_sample_times(other)) for one, other in pairs]
    return FalsePositiveRate(trial, sum(claimed), len(claimed))


def cross_halves(one: Processes, other: Processes) -> tuple[tuple[Processes, Processes], ...]:
    """Pair one clone's first half of the blocks with the other's second half, and vice versa."""
    middle = len(one) // 2
    return (one[:middle], other[middle:]), (other[:middle], one[middle:])


def collect_sample_times(records: Processes) -> Floats:
    """Return all samples of these processes, in nanoseconds per call."""
    reports = [record.report for record in records if record.report is not None]
    return np.array([sample / report.calls for report in reports for sample in report.samples_ns])


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


if __name__ == "__main__":
    main()
