"""Decision rules of other tools, on numbers with a known answer."""

import numpy as np
import pytest

from orchestrator.analysis.statistics.intervals import Floats
from orchestrator.selftest.other_tools import criterion_differs, pyperf_differs, torch_differs

RULES = [pyperf_differs, criterion_differs, torch_differs]


def times(mean: float, spread: float = 0.01, count: int = 40, seed: int = 1) -> Floats:
    return np.asarray(mean * (1 + spread * np.random.default_rng(seed).standard_normal(count)))


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_finds_what_is_far_apart_whichever_comes_first(rule: type) -> None:
    assert rule(times(10_000), times(11_000, seed=2))
    assert rule(times(11_000), times(10_000, seed=2))


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_tells_a_set_of_times_from_itself(rule: type) -> None:
    assert not rule(times(10_000), times(10_000))


def test_pyperf_compares_t_with_the_level_that_it_prints() -> None:
    one = np.array([1.0, 2.0, 3.0])
    critical = 2.776  # of four degrees of freedom, as in pyperf's own table
    error = np.sqrt(one.var(ddof=1) / 3 * 2)
    assert not pyperf_differs(one, one + 0.99 * critical * error)
    assert pyperf_differs(one, one + 1.01 * critical * error)


def test_criterion_ignores_a_certain_change_of_less_than_one_per_cent() -> None:
    one = times(10_000, spread=0.001)
    assert pyperf_differs(one, 1.008 * one)
    assert not criterion_differs(one, 1.008 * one)
    assert criterion_differs(one, 1.02 * one)


def test_criterion_ignores_a_change_whose_interval_reaches_into_the_threshold() -> None:
    assert not criterion_differs(times(10_000, spread=0.02, count=10), times(10_150, spread=0.02, count=10, seed=2))


def test_torch_holds_no_interval_to_be_narrower_than_25_ns() -> None:
    one = np.full(20, 1000.0)
    assert not torch_differs(one, one + 49)
    assert torch_differs(one, one + 51)


def test_torch_looks_at_the_middle_half_only() -> None:
    one = np.concatenate([np.full(4, 1.0), np.full(8, 1e6), np.full(4, 9e9)])
    assert torch_differs(one, one + 51)
