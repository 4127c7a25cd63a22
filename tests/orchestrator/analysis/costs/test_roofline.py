"""Roofline with known peaks and known work."""

from collections.abc import Callable

import pytest

from orchestrator.analysis.costs.roofline import Roof, compute_achieved, find_roof
from schemas.event import Report, Work
from tests.orchestrator.conftest import figures_of

ROOF = Roof(flops_per_s=100e9, bytes_per_s=20e9)


@pytest.mark.parametrize(("intensity", "most"), [(0.1, 2e9), (1, 20e9), (5, 100e9), (50, 100e9)])
def test_memory_is_the_limit_up_to_the_ridge_and_the_peak_beyond(intensity: float, most: float) -> None:
    assert ROOF.ridge == 5
    assert ROOF.flops_per_s_at(intensity) == pytest.approx(most)


def test_what_is_achieved_is_the_work_over_the_time_and_a_share_of_the_roof_at_its_intensity() -> None:
    found = compute_achieved(Work(flops=1000, bytes=1000), 100, ROOF)
    assert found is not None
    assert (found.intensity, found.flops_per_s, found.bytes_per_s) == (1, 10e9, 10e9)
    assert found.share == pytest.approx(0.5)


@pytest.mark.parametrize(("flops", "moved", "call_ns"), [(0, 9, 9.0), (9, 0, 9.0), (9, 9, 0.0), (9, 9, float("nan"))])
def test_without_work_or_time_nothing_is_achieved(flops: int, moved: int, call_ns: float) -> None:
    assert compute_achieved(Work(flops=flops, bytes=moved), call_ns, ROOF) is None


def test_the_roof_is_the_highest_that_any_process_saw_in_each_respect(make_report: Callable[..., Report]) -> None:
    ceilings = [{"flops_per_s": 3.0, "bytes_per_s": 1.0}, {"flops_per_s": 2.0, "bytes_per_s": 4.0}]
    assert find_roof([figures_of(make_report(ceiling=each)) for each in ceilings]) == Roof(flops_per_s=3, bytes_per_s=4)


def test_where_nothing_was_measured_there_is_no_roof(make_report: Callable[..., Report]) -> None:
    assert find_roof([]) is None
    assert find_roof([figures_of(make_report(ceiling={"flops_per_s": 0.0, "bytes_per_s": 1.0}))]) is None
