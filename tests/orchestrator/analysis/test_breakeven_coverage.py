"""Coverage of the intervals of break-evens, over many synthetic sweeps that stop as real ones do.

First results and calls have known levels. Effects of a process: eight per cent on its first result and on its settling,
five on the import, one to three on a call. Each block adds an effect of two per cent on all its processes.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

from orchestrator.analysis.breakeven import NEVER, calls_until_break_even
from orchestrator.analysis.compare import Comparison, Scores, compare_all_pairs
from orchestrator.analysis.costs.cost_curve import CostCurve, Start
from orchestrator.analysis.statistics.intervals import Interval, clopper_pearson
from orchestrator.analysis.statistics.looks import LOOKS
from orchestrator.analysis.stopping import should_stop

Floats: TypeAlias = npt.NDArray[np.float64]
Law: TypeAlias = Callable[[np.random.Generator, int], Floats]

EXPERIMENTS = 60
TARGET = 0.02
MS = 1_000_000
IMPORT_NS = 1700 * MS
FIRST_NOISE, IMPORT_NOISE, BLOCK_NOISE = 0.08, 0.05, 0.02

# Distributions of the effect of a process, with a standard deviation of about one and a median of about zero.
LAWS: dict[str, Law] = {
    "normal": lambda rng, k: rng.normal(size=k),
    "t3": lambda rng, k: rng.standard_t(3, k) / math.sqrt(3),
    "skewed": lambda rng, k: rng.exponential(size=k) - math.log(2),
}


@dataclass(frozen=True)
class Mode:
    """The levels of one mode in nanoseconds: its first result, its steady calls, and single calls while it settles."""

    first: float
    call: float
    settling: tuple[float, ...] = ()

    def processes(self, rng: np.random.Generator, law: Law, scale: float, block: Floats) -> list[CostCurve]:
        """Return one process for each block, with the effect of the block."""
        k = len(block)
        shared, own = np.exp(block), np.exp(FIRST_NOISE * law(rng, k))
        calls = self.call * shared * np.exp(scale * law(rng, k))
        imports = IMPORT_NS * shared * np.exp(IMPORT_NOISE * law(rng, k))
        totals = np.cumsum([self.first, *self.settling])
        return [
            CostCurve(
                before_model_ns=float(imports[i]),
                seen=tuple(enumerate((totals * shared[i] * own[i]).tolist(), 1)),
                floor_ns=float(calls[i]),
                typical_ns=float(calls[i]),
            )
            for i in range(k)
        ]


EAGER = Mode(0.9 * MS, 33_700, (110_000, 150_000))
CASES = {
    "clear win": (Mode(89 * MS, 134_000), Mode(32 * MS, 361_000)),
    "while it settles": (Mode(22 * MS, 30_000, (2.8 * MS, 3.6 * MS, 0.2 * MS)), Mode(0.9 * MS, 60_000)),
    "marginal win": (Mode(435 * MS, 32_600), EAGER),
    "win within noise": (Mode(435 * MS, 33_360), EAGER),
    "from the first call": (Mode(5 * MS, 20_000), Mode(20 * MS, 40_000)),
    "never, as fast": (Mode(29 * MS, 33_700), EAGER),
    "never, slower": (Mode(29 * MS, 35_000), EAGER),
}

# An end of the interval cannot lie beyond these truths, so they are missed on one side only, or hardly ever.
ONE_SIDED = {"from the first call", "never, as fast", "never, slower"}


def truth(own: Mode, other: Mode) -> float:
    """Return the least whole number of calls after which the first has taken less time, by arithmetic."""
    ahead = sum(own.settling) - len(own.settling) * own.call - sum(other.settling) + len(other.settling) * other.call
    saved = other.call - own.call
    if saved <= 0:
        return NEVER
    return max(1, math.floor((own.first - other.first + ahead) / saved) + 2)


def intervals(case: str, law: Law, scale: float, start: Start, experiments: int) -> Iterator[Interval]:
    """Yield the interval of each of these sweeps."""
    rng, (own, other) = np.random.default_rng(1), CASES[case]
    for _ in range(experiments):
        block = rng.normal(0, BLOCK_NOISE, LOOKS[-1])
        pairs = tuple(zip(own.processes(rng, law, scale, block), other.processes(rng, law, scale, block), strict=True))
        yield calls_until_break_even(pairs[: looked(pairs)], start)


def looked(pairs: Sequence[tuple[CostCurve, CostCurve]]) -> int:
    """Return the number of blocks after which a sweep stops."""
    logs = {name: [math.log(pair[side].floor_ns) for pair in pairs] for side, name in enumerate("ab")}

    def found(k: int) -> tuple[Comparison, ...]:
        firsts = {name: dict(enumerate(values[:k])) for name, values in logs.items()}
        return compare_all_pairs({name: Scores(first, first) for name, first in firsts.items()})

    return next(k for k in LOOKS if should_stop(k, found(k), TARGET))


def covered(case: str, law: str, scale: float, start: Start, experiments: int = EXPERIMENTS) -> list[bool]:
    """Return for each sweep True if its interval contains the truth."""
    true = truth(*CASES[case])
    return [found.low <= true <= found.high for found in intervals(case, LAWS[law], scale, start, experiments)]


def as_promised(covered: Sequence[bool]) -> bool:
    """Return True if the share is consistent with 94 to 98 per cent, given the number of sweeps."""
    share = clopper_pearson(sum(covered), len(covered))
    return share.high >= 0.94 and share.low <= 0.98


@pytest.mark.long
@pytest.mark.parametrize("case", [case for case in CASES if case not in ONE_SIDED])
def test_intervals_hold_the_true_number_as_promised(case: str) -> None:
    settings = (("normal", 0.01), ("t3", 0.02), ("skewed", 0.03))
    assert as_promised([hit for law, scale in settings for hit in covered(case, law, scale, "model")])


@pytest.mark.long
def test_intervals_with_import_hold_the_true_number_as_promised() -> None:
    cases = ("clear win", "marginal win")
    assert as_promised([hit for case in cases for hit in covered(case, "normal", 0.01, "import")])


@pytest.mark.long
@pytest.mark.parametrize("case", sorted(ONE_SIDED))
def test_what_pays_from_the_first_call_or_never_is_rarely_denied(case: str) -> None:
    hits = covered(case, "normal", 0.02, "model")
    assert clopper_pearson(sum(hits), len(hits)).high >= 0.98


def test_a_win_within_the_noise_may_mostly_never_pay() -> None:
    found = list(intervals("win within noise", LAWS["normal"], 0.03, "model", EXPERIMENTS))
    assert sum(interval.high == NEVER for interval in found) >= 0.8 * len(found)
