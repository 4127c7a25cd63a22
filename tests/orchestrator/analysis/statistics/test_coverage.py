"""Coverage and error rates of the method, over many synthetic sweeps that stop as real ones do.

A process's floor is the level of its cell plus the effects of its block and of the process. Its typical value adds a
disturbance. Effects have a standard deviation of 0.8 to 1 per cent on a quiet machine. On a shared one it is 1.5 to 3
per cent, and twelve blocks give half-widths of 1.2 to 2.7 per cent.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

from orchestrator.analysis.compare import Comparison, Scores, Verdict, compare_all_pairs
from orchestrator.analysis.derivation.steady_state import SteadyState, classify_trace
from orchestrator.analysis.statistics.intervals import clopper_pearson
from orchestrator.analysis.statistics.looks import LOOKS, list_looks
from orchestrator.analysis.stopping import should_stop

Floats: TypeAlias = npt.NDArray[np.float64]
Law: TypeAlias = Callable[[np.random.Generator, tuple[int, ...]], Floats]

EXPERIMENTS = 1000
TARGET = 0.02

# Distributions of the effect of a process, with a standard deviation of one.
LAWS: dict[str, Law] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape) / math.sqrt(3),
    "bimodal": lambda rng, shape: rng.choice([-0.95, 0.95], shape) + rng.normal(0, 0.31, shape),
    "skewed pair": lambda rng, shape: rng.exponential(size=shape),
}


def sweeps(
    levels: Mapping[str, float], law: Law, scale: float, *, seed: int = 1
) -> Iterator[tuple[int, tuple[Comparison, ...]]]:
    """Yield the blocks and the comparisons of each sweep over cells of these log levels, the first the baseline."""
    rng = np.random.default_rng(seed)
    shape = (EXPERIMENTS, len(levels), LOOKS[-1])
    shared = rng.normal(0, 0.02, (EXPERIMENTS, 1, LOOKS[-1]))
    floors = np.array(list(levels.values()))[:, None] + shared + scale * law(rng, shape)
    typical = floors + 0.03 + rng.normal(0, scale, shape)
    for floor, middle in zip(floors, typical, strict=True):
        yield sweep(list(levels), floor, middle)


def sweep(cells: list[str], floors: Floats, typical: Floats) -> tuple[int, tuple[Comparison, ...]]:
    for k in list_looks(math.comb(len(cells), 2)):
        scores = {
            cell: Scores(dict(enumerate(floor[:k].tolist())), dict(enumerate(middle[:k].tolist())))
            for cell, floor, middle in zip(cells, floors, typical, strict=True)
        }
        comparisons = compare_all_pairs(scores)
        if should_stop(k, comparisons, TARGET, baseline=cells[0]):
            break
    return k, comparisons


@pytest.mark.long
@pytest.mark.parametrize("law", LAWS)
def test_intervals_cover_the_true_ratio_as_promised_after_stopping(law: str) -> None:
    truth = 1.05
    covered = [
        found.ratio.low <= truth <= found.ratio.high
        for seed, scale in enumerate((0.01, 0.02, 0.03))
        for _, (found,) in sweeps({"a": 0.0, "b": math.log(truth)}, LAWS[law], scale, seed=seed)
    ]
    assert len(covered) == 3 * EXPERIMENTS
    assert 0.94 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize("law", ["normal", "t3", "skewed pair"])
@pytest.mark.long
def test_six_clones_are_rarely_told_apart(law: str) -> None:
    clones = dict.fromkeys("abcdef", 0.0)
    fooled = sum(
        any(found.significant or found.claimed_faster is not None for found in comparisons)
        for _, comparisons in sweeps(clones, LAWS[law], 0.01)
    )
    assert clopper_pearson(fooled, EXPERIMENTS).high <= 0.07


@pytest.mark.parametrize("law", LAWS)
def test_a_twin_slower_by_three_per_cent_is_called_slower_on_a_quiet_machine(law: str) -> None:
    twins = sweeps({"a": 0.0, "b": math.log(1.03)}, LAWS[law], 0.01)
    called = sum(k <= 16 and found.verdict is Verdict.SLOWER for k, (found,) in twins)
    assert clopper_pearson(called, EXPERIMENTS).low >= 0.90


@pytest.mark.parametrize("scale", [0.01, 0.02])
@pytest.mark.long
def test_three_tiers_are_not_confused(scale: float) -> None:
    tiers = {"a": 0, "b": 0, "c": math.log(1.03), "d": math.log(1.03), "e": math.log(1.1), "f": math.log(1.1)}
    wrong = sum(
        any(is_wrong(found, tiers) for found in comparisons) for _, comparisons in sweeps(tiers, LAWS["normal"], scale)
    )
    assert wrong / EXPERIMENTS <= 0.05


def is_wrong(found: Comparison, levels: Mapping[str, float]) -> bool:
    """Return True if a tie is broken, an order is reversed, or a true difference is called equivalent."""
    difference = levels[found.cell] - levels[found.baseline]
    if found.claimed_faster is None:
        return found.verdict is Verdict.EQUIVALENT and difference != 0
    return difference == 0 or (found.claimed_faster == found.cell) != (difference < 0)


def traces(calls: int, correlation: float, *, disturbed: float = 0.0) -> Floats:
    """Return log call times that scatter by two per cent, autocorrelated, with a share `disturbed` upwards."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.02, (200, calls))
    for i in range(1, calls):
        noise[:, i] = correlation * noise[:, i - 1] + math.sqrt(1 - correlation**2) * noise[:, i]
    return np.asarray(noise + rng.exponential(0.5, noise.shape) * (rng.random(noise.shape) < disturbed))


def classified(logs: Floats) -> list[SteadyState]:
    return [classify_trace(np.rint(1e6 * np.exp(trace)).astype(int).tolist()) for trace in logs]


@pytest.mark.long
@pytest.mark.parametrize("calls", [60, 120, 500])
@pytest.mark.parametrize(("correlation", "disturbed", "share"), [(0.0, 0, 0.95), (0.3, 0, 0.95), (0.3, 0.03, 0.85)])
def test_a_flat_trace_is_called_flat(calls: int, correlation: float, disturbed: float, share: float) -> None:
    found = classified(traces(calls, correlation, disturbed=disturbed))
    assert sum(steady.kind == "flat" for steady in found) >= share * len(found)


@pytest.mark.parametrize("calls", [120, 500])
def test_a_flat_trace_whose_calls_resemble_each_other_strongly_is_mostly_called_flat(calls: int) -> None:
    found = classified(traces(calls, 0.6))
    assert sum(steady.kind == "flat" for steady in found) >= 0.70 * len(found)


@pytest.mark.long
@pytest.mark.parametrize("calls", [120, 500])
@pytest.mark.parametrize("step", [0.1, 0.3])
def test_a_step_is_found_and_leaves_the_level_unbiased(calls: int, step: float) -> None:
    logs = traces(calls, 0.3)
    ends = np.random.default_rng(2).integers(calls // 10, calls // 2, len(logs))
    logs[np.arange(calls) < ends[:, None]] += math.log1p(step)
    found = classified(logs)
    hit = [s.kind == "warm-up" and abs(s.start - end) <= 5 for s, end in zip(found, ends, strict=True)]
    bias = [abs(math.log(s.level_ns / 1e6)) for s in found if s.kind != "none"]
    assert np.mean(hit) >= 0.95
    assert np.quantile(bias, 0.95) <= 0.012
