"""The sampling and the warm-up that later processes of a cell take over from its first ones."""

from collections.abc import Callable

import pytest

from orchestrator.execution.repetition import choose_warm_up_ns, repeat_timing
from schemas.event import SINGLE_CALLS, Report
from schemas.job import Timing

MS = 1_000_000

MakeReport = Callable[..., Report]


def warm_up(slow_laps: int, steady_laps: int = 200) -> tuple[tuple[int, int], ...]:
    """Two first calls, of which one compiles; single calls; laps of a millisecond that are slow at first."""
    first = ((1, 900 * MS), (1, 20_000), *[(1, 12_000)] * SINGLE_CALLS)
    slow = [(100, 2 * MS + lap % 3) for lap in range(slow_laps)]
    return (*first, *slow, *((100, MS + lap % 3) for lap in range(steady_laps)))


def test_the_first_process_decides_for_itself() -> None:
    assert repeat_timing(Timing(samples=7), []) == Timing(samples=7)


def test_the_first_process_decides_how_all_others_sample(make_report: MakeReport) -> None:
    earlier = [make_report(calls=11), make_report(calls=12), make_report(calls=13)]
    repeated = repeat_timing(Timing(samples=7), earlier)
    assert (repeated.calls, repeated.samples) == (11, len(earlier[0].samples_ns))


@pytest.mark.parametrize(
    ("slow_laps", "chosen_ms"),
    [
        ((0, 0), 50),  # a fifth of the longest, however early they were steady
        ((20, 30), 120),  # twice the thirty slow laps of 2 ms
        ((30, 20), 120),
        ((80, 10), 250),  # never more than the longest
    ],
)
def test_later_processes_warm_up_twice_as_long_as_the_first_two_needed(
    make_report: MakeReport, slow_laps: tuple[int, int], chosen_ms: int
) -> None:
    earlier = [make_report(warmup=warm_up(laps)) for laps in slow_laps]
    assert choose_warm_up_ns(250 * MS, earlier) == pytest.approx(chosen_ms * MS, rel=1e-5)
    assert repeat_timing(Timing(), earlier).warmup_min_ns == choose_warm_up_ns(250 * MS, earlier)


def test_what_a_third_process_needed_changes_nothing_for_the_fourth(make_report: MakeReport) -> None:
    earlier = [make_report(warmup=warm_up(laps)) for laps in (0, 0, 80)]
    assert choose_warm_up_ns(250 * MS, earlier) == 50 * MS


def test_nothing_is_saved_before_two_processes_were_steady(make_report: MakeReport) -> None:
    steady, restless = make_report(warmup=warm_up(0)), make_report(warmup=warm_up(slow_laps=200, steady_laps=40))
    assert choose_warm_up_ns(250 * MS, [steady]) == 250 * MS
    assert choose_warm_up_ns(250 * MS, [steady, restless]) == 250 * MS
    assert choose_warm_up_ns(250 * MS, [restless, steady]) == 250 * MS


def test_a_warm_up_that_was_set_to_nothing_stays_nothing(make_report: MakeReport) -> None:
    assert choose_warm_up_ns(0, [make_report(warmup=warm_up(30))] * 2) == 0
