"""Disturbance flags of processes, and the grades of their cells."""

from collections.abc import Callable, Mapping

import pytest

from orchestrator.analysis.quality import disturbance
from orchestrator.analysis.quality.disturbance import Flag, Grade
from schemas.event import Report
from schemas.record import JobRecord

MakeRecord = Callable[..., JobRecord]
Noisy = Callable[..., JobRecord]

TEN = tuple([1000] * 10)
NOTHING: frozenset[Flag] = frozenset()


@pytest.fixture
def noisy(make_record: MakeRecord, make_report: Callable[..., Report]) -> Noisy:
    """Return a function that makes a record of one busy core and ten samples of a microsecond."""

    def make(**noise: object) -> JobRecord:
        quiet = make_report().noise.model_dump() | dict.fromkeys(("run_delay_ns", "steal_ns", "pressure_ns"), (0,) * 10)
        report = make_report(samples_ns=TEN, noise=quiet | {"cpu_ns": TEN, "canary_ns": (100,) * 10} | noise)
        return make_record(result=report)

    return make


def report_of(record: JobRecord) -> Report:
    assert record.report is not None
    return record.report


def test_a_quiet_process_has_no_flag(noisy: Noisy) -> None:
    assert disturbance.find_flags(noisy(), 100) == NOTHING


@pytest.mark.parametrize(
    ("noise", "flag"),
    [
        ({"run_delay_ns": (100,) * 3 + (0,) * 7, "cpu_ns": (900,) * 10}, Flag.DELAY),
        ({"steal_ns": (1000,) + (0,) * 9}, Flag.STEAL),
        ({"throttled": 1}, Flag.THROTTLED),
        ({"canary_ns": (106,) * 10}, Flag.CANARY),
    ],
)
def test_each_disturbance_has_its_flag(noisy: Noisy, noise: Mapping[str, object], flag: Flag) -> None:
    assert disturbance.find_flags(noisy(**noise), 100) == {flag}


@pytest.mark.parametrize(
    "noise",
    [
        {"run_delay_ns": (100,) * 2 + (0,) * 8, "cpu_ns": (900,) * 10},
        {"run_delay_ns": (4,) * 10, "cpu_ns": (900,) * 10},
        {"canary_ns": (200,) * 9 + (104,)},
        {"throttled": None},
    ],
)
def test_little_is_not_enough_for_a_flag(noisy: Noisy, noise: Mapping[str, object]) -> None:
    assert disturbance.find_flags(noisy(**noise), 100) == NOTHING


def test_threads_that_wait_for_each_other_are_no_disturbance(noisy: Noisy) -> None:
    waiting = noisy(run_delay_ns=(900,) * 10, cpu_ns=TEN)
    assert disturbance.compute_lost_shares(report_of(waiting), cores=1) == [0.0] * 10
    assert disturbance.compute_lost_shares(report_of(waiting), cores=2) == [0.9] * 10


def test_the_typical_time_is_of_the_undisturbed_samples_where_there_are_enough(noisy: Noisy) -> None:
    two, three = (noisy(steal_ns=(5,) * count + (0,) * (10 - count)) for count in (2, 3))
    assert disturbance.find_undisturbed_samples(report_of(two), cores=1) == list(range(2, 10))
    assert disturbance.find_undisturbed_samples(report_of(three), cores=1) == list(range(10))


def test_a_job_without_a_report_cannot_be_disturbed(make_record: MakeRecord) -> None:
    assert disturbance.find_flags(make_record(outcome="raised"), 0) == NOTHING


def test_the_canary_is_measured_against_the_best_of_the_sweep(noisy: Noisy, make_record: MakeRecord) -> None:
    songs = [(120,) * 9 + (100,), (95,) * 9 + (90,)]
    records = [*(noisy(canary_ns=song) for song in songs), make_record(outcome="raised")]
    assert disturbance.find_canary_floor_ns(records) == 90
    assert disturbance.find_canary_floor_ns([]) == 0


DELAYED, SLOW, STOPPED = frozenset({Flag.DELAY}), frozenset({Flag.CANARY}), frozenset({Flag.THROTTLED})


@pytest.mark.parametrize(
    ("processes", "drift", "grade"),
    [
        ([], False, "A"),
        ([NOTHING] * 10, False, "A"),
        ([DELAYED] * 2 + [NOTHING] * 8, False, "A"),
        ([DELAYED] * 3 + [NOTHING] * 7, False, "B"),
        ([DELAYED] * 5 + [NOTHING] * 5, False, "B"),
        ([DELAYED] * 6 + [NOTHING] * 4, False, "C"),
        ([STOPPED] + [NOTHING] * 9, False, "C"),
        ([SLOW] * 10, False, "B"),
        ([SLOW] * 5 + [NOTHING] * 5, False, "A"),
        ([NOTHING] * 10, True, "B"),
        ([SLOW] * 10, True, "B"),
    ],
)
def test_a_grade_says_how_far_a_cell_may_be_trusted(
    processes: list[frozenset[Flag]], grade: Grade, *, drift: bool
) -> None:
    assert disturbance.grade_cell(processes, drift=drift) == grade


def test_times_that_follow_the_order_of_the_sweep_drift() -> None:
    climbing = [0.1 * step for step in range(12)]
    shuffled = [climbing[(7 * step) % 12] for step in range(12)]
    assert disturbance.is_drifting(climbing)
    assert disturbance.is_drifting(climbing[::-1])
    assert not disturbance.is_drifting(shuffled)


def test_too_few_processes_cannot_drift() -> None:
    assert not disturbance.is_drifting([1, 2, 3, 4, 5, 6, 7])
    assert not disturbance.is_drifting([1, 2] * 10)


def test_every_flag_has_a_meaning_in_words() -> None:
    assert disturbance.FLAG_MEANINGS.keys() == set(Flag)
