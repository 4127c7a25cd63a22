"""Spread of known samples: five numbers per call."""

import dataclasses
from collections.abc import Callable

import pytest

from orchestrator.report.page.charts.samples import compute_spread
from schemas.event import Report
from tests.conftest import QUIET
from tests.orchestrator.conftest import figures_of


def sampled(make_report: Callable[..., Report], *samples_ns: int, calls: int = 1) -> Report:
    counts = {name: (0,) * len(samples_ns) for name, value in QUIET.items() if isinstance(value, tuple)}
    return make_report(samples_ns=samples_ns, calls=calls, noise=QUIET | counts)


def test_samples_are_spread_from_the_fastest_over_the_quartiles_to_the_slowest(
    make_report: Callable[..., Report],
) -> None:
    found = compute_spread(figures_of(sampled(make_report, 500, 100, 300, 200, 400, calls=10)))
    assert dataclasses.astuple(found) == pytest.approx((10, 20, 30, 40, 50))


def test_between_two_samples_a_quartile_is_as_far_as_its_share_of_the_way(make_report: Callable[..., Report]) -> None:
    found = compute_spread(figures_of(sampled(make_report, 100, 200, 400, 800)))
    assert dataclasses.astuple(found) == pytest.approx((100, 175, 300, 500, 800))


def test_one_sample_is_all_five(make_report: Callable[..., Report]) -> None:
    found = compute_spread(figures_of(sampled(make_report, 7)))
    assert dataclasses.astuple(found) == pytest.approx((7,) * 5)
