"""Spread of known samples: five numbers per call."""

from collections.abc import Callable

from orchestrator.report.page.charts.samples import Spread, compute_spread
from schemas.event import Report
from tests.conftest import QUIET


def sampled(make_report: Callable[..., Report], *samples_ns: int, calls: int = 1) -> Report:
    counts = {name: (0,) * len(samples_ns) for name, value in QUIET.items() if isinstance(value, tuple)}
    return make_report(samples_ns=samples_ns, calls=calls, noise=QUIET | counts)


def test_samples_are_spread_from_the_fastest_over_the_quartiles_to_the_slowest(
    make_report: Callable[..., Report],
) -> None:
    found = compute_spread(sampled(make_report, 500, 100, 300, 200, 400, calls=10))
    assert found == Spread(low=10, quarter=20, median=30, three_quarters=40, high=50)


def test_one_sample_is_all_five(make_report: Callable[..., Report]) -> None:
    assert compute_spread(sampled(make_report, 7)) == Spread(low=7, quarter=7, median=7, three_quarters=7, high=7)
