"""The budget of a sweep on a clock that the tests set."""

from collections.abc import Callable
from functools import partial

import pytest

from orchestrator.execution.budget import Budget
from orchestrator.planning.estimate import estimate_job_s
from schemas.job import Cell, Timing

MakeCell = Callable[..., Cell]


class Clock:
    """A clock that stands where it is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> Budget:
    made = Budget(60.0, partial(estimate_job_s, timing=Timing(), known={"numpy:eager": 7.0}), clock)
    made.start()
    return made


def test_it_counts_from_its_start(budget: Budget, clock: Clock) -> None:
    assert budget.spent_s == 0
    clock.now += 25
    assert budget.spent_s == 25


def test_what_an_earlier_part_of_the_run_spent_counts_too(clock: Clock) -> None:
    budget = Budget(60.0, partial(estimate_job_s, timing=Timing(), known={}), clock, before_s=40.0)
    budget.start()
    clock.now += 5
    assert budget.spent_s == 45


def test_a_job_is_expected_to_take_what_the_same_cell_took_else_what_its_mode_did_else_an_estimate(
    budget: Budget, make_cell: MakeCell
) -> None:
    known, unknown = make_cell("numpy:eager"), make_cell("torch:compile")
    assert budget.forecast_s([known]) == 7.0
    assert budget.forecast_s([unknown]) == estimate_job_s(unknown, Timing(), {}) > 0
    budget.note_job(known, 3.0)
    assert budget.forecast_s([known]) == 3.0
    assert budget.forecast_s([make_cell("numpy:eager", batch=9)]) == 7.0


def test_one_disturbed_job_does_not_change_what_the_next_is_expected_to_take(
    budget: Budget, make_cell: MakeCell
) -> None:
    for took_s in (2.0, 2.0, 110.0):
        budget.note_job(make_cell(), took_s)
    assert budget.forecast_s([make_cell()]) == 2.0


@pytest.mark.parametrize(
    ("spent_s", "reserved_s", "room"), [(46, 0, True), (46.1, 0, False), (40, 6, True), (40, 7, False)]
)
def test_there_is_room_for_jobs_that_end_in_time_and_leave_what_is_reserved(
    budget: Budget, clock: Clock, make_cell: MakeCell, spent_s: float, reserved_s: float, room: bool
) -> None:
    clock.now += spent_s
    assert budget.has_room([make_cell(), make_cell()], reserved_s) is room


def test_there_is_always_room_for_nothing_until_the_end(budget: Budget, clock: Clock) -> None:
    clock.now += 60
    assert budget.has_room([])
    clock.now += 1
    assert not budget.has_room([])


def test_the_next_opening_of_a_block_is_expected_to_take_as_long_as_the_usual_one(budget: Budget) -> None:
    assert budget.forecast_opening_s() == 0
    for took_s in (2.0, 9.0, 3.0):
        budget.note_opening(took_s)
    assert budget.forecast_opening_s() == 3
