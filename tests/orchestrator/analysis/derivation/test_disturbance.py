"""Disturbance flags of processes, and the grades of their cells."""

from collections.abc import Callable, Mapping

import pytest

from orchestrator.analysis.derivation import disturbance
from orchestrator.analysis.derivation.disturbance import Flag
from orchestrator.analysis.quality import flags, grades
from orchestrator.analysis.quality.grades import Grade
from schemas.event import Report
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_cell

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
    assert flags.find_flags(noisy(), 100) == NOTHING


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
    assert flags.find_flags(noisy(**noise), 100) == {flag}


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
    assert flags.find_flags(noisy(**noise), 100) == NOTHING


def test_threads_that_wait_for_each_other_are_no_disturbance(noisy: Noisy) -> None:
    waiting = noisy(run_delay_ns=(900,) * 10, cpu_ns=TEN)
    assert disturbance.compute_lost_shares(report_of(waiting), cores=1) == [0.0] * 10
    assert disturbance.compute_lost_shares(report_of(waiting), cores=2) == [0.9] * 10


def test_the_typical_time_is_of_the_undisturbed_samples_where_there_are_enough(noisy: Noisy) -> None:
    two, three = (noisy(steal_ns=(5,) * count + (0,) * (10 - count)) for count in (2, 3))
    assert disturbance.find_undisturbed_samples(report_of(two), cores=1) == list(range(2, 10))
    assert disturbance.find_undisturbed_samples(report_of(three), cores=1) == list(range(10))


def test_a_burst_that_waited_marks_only_samples_that_left_their_core_unused(noisy: Noisy) -> None:
    burst = {"burst": 5, "run_delay_ns": (300, 0), "steal_ns": (0, 0), "pressure_ns": (0, 0), "canary_ns": (100, 100)}
    waited = noisy(**burst, cpu_ns=(1000, 700, 1000, 600, 1000, *(900,) * 5))
    assert disturbance.compute_lost_ns(report_of(waited), cores=1) == [0, 300, 0, 300, 0, 0, 0, 0, 0, 0]
    assert disturbance.find_disturbed_samples(report_of(waited), cores=1) == [False, True, False, True] + [False] * 6
    # Two of ten samples are not more than a fifth, although half of the bursts waited.
    assert flags.find_flags(waited, 100) == NOTHING


def test_steal_marks_a_whole_burst(noisy: Noisy) -> None:
    burst = {"burst": 4, "run_delay_ns": (0,) * 3, "steal_ns": (0, 9, 0), "pressure_ns": (0,) * 3}
    stolen = noisy(**burst, canary_ns=(100,) * 3)
    assert disturbance.find_disturbed_samples(report_of(stolen), cores=1) == [False] * 4 + [True] * 4 + [False] * 2


def test_the_least_floor_of_a_quiet_process_is_its_floor(noisy: Noisy) -> None:
    assert disturbance.bound_floor_ns(noisy()) == 1000


@pytest.mark.parametrize(
    ("noise", "least"),
    [
        # A sample that lost four thousandths is clean, and may have taken that much less.
        ({"run_delay_ns": (4,) * 10, "cpu_ns": (900,) * 10}, 996),
        # One clean sample shows that the others cannot have been faster without their waiting.
        ({"run_delay_ns": (0,) + (500,) * 9, "cpu_ns": (1000,) + (400,) * 9}, 1000),
        # Without a clean sample, what each lost is taken from it, and what cold caches can have cost.
        ({"run_delay_ns": (500,) * 9 + (300,), "cpu_ns": (400,) * 10}, 0.88 * 500),
        ({"run_delay_ns": (500,) * 10, "cpu_ns": (800,) * 10}, 0.88 * 800),
        ({"steal_ns": (200,) * 9 + (100,)}, 0.88 * 800),
        # A clock tick of steal may be longer than a sample.
        ({"steal_ns": (10_000_000,) * 10}, 1),
    ],
)
def test_the_least_floor_is_what_disturbances_leave_possible(
    noisy: Noisy, noise: Mapping[str, object], least: float
) -> None:
    assert disturbance.bound_floor_ns(noisy(**noise)) == pytest.approx(least)


def test_a_disturbed_sample_may_still_be_the_fastest(
    make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    took = (900, *TEN[1:])
    noise = make_report().noise.model_dump() | dict.fromkeys(("steal_ns", "pressure_ns"), (0,) * 10)
    noise |= {"run_delay_ns": (50,) + (0,) * 9, "cpu_ns": (850, *TEN[1:]), "canary_ns": (100,) * 10}
    record = make_record(result=make_report(samples_ns=took, noise=noise))
    assert disturbance.bound_floor_ns(record) == 900


MS = 1_000_000
LONG_CALLS = {"samples_ns": (20 * MS,) * 3, "calls": 1}
WAITED = {"run_delay_ns": (12 * MS, 9 * MS, 9 * MS), "cpu_ns": (14 * MS, 13 * MS, 12 * MS)}


def long_calls(
    make_record: MakeRecord,
    make_report: Callable[..., Report],
    noise: Mapping[str, object],
    cell: Mapping[str, object] | None = None,
    **changes: object,
) -> JobRecord:
    report = make_report(noise=make_report().noise.model_dump() | dict(noise), **LONG_CALLS | changes)
    return make_record(a_cell().model_copy(update=cell), result=report)


def test_a_single_call_longer_than_a_time_slice_took_at_least_its_cpu_time(
    make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    record = long_calls(make_record, make_report, WAITED)
    assert disturbance.is_bounded_by_cpu_time(record)
    assert disturbance.bound_floor_ns(record) == pytest.approx(0.88 * 12 * MS)


@pytest.mark.parametrize(
    ("noise", "cell", "changes"),
    [
        (WAITED, {"threads": 2}, {}),
        (WAITED, {"device": "cuda"}, {}),
        (WAITED, {}, {"calls": 2}),
        (WAITED, {}, {"samples_ns": (2 * MS,) * 3}),
        (WAITED | {"run_delay_ns": (0, 9 * MS, 9 * MS)}, {}, {}),
    ],
)
def test_no_other_process_is_bounded_by_its_cpu_time(
    make_record: MakeRecord,
    make_report: Callable[..., Report],
    noise: Mapping[str, object],
    cell: Mapping[str, object],
    changes: Mapping[str, object],
) -> None:
    assert not disturbance.is_bounded_by_cpu_time(long_calls(make_record, make_report, noise, cell, **changes))
    assert not disturbance.is_bounded_by_cpu_time(make_record(outcome="raised"))


def test_a_job_without_a_report_cannot_be_disturbed(make_record: MakeRecord) -> None:
    assert flags.find_flags(make_record(outcome="raised"), 0) == NOTHING


def test_the_canary_is_measured_against_the_best_of_the_sweep(noisy: Noisy, make_record: MakeRecord) -> None:
    songs = [(120,) * 9 + (100,), (95,) * 9 + (90,)]
    records = [*(noisy(canary_ns=song) for song in songs), make_record(outcome="raised")]
    assert flags.find_canary_floor_ns(records) == 90
    assert flags.find_canary_floor_ns([]) == 0


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
    assert grades.grade_cell(processes, drift=drift) == grade


def test_times_that_follow_the_order_of_the_sweep_drift() -> None:
    climbing = [0.1 * step for step in range(12)]
    shuffled = [climbing[(7 * step) % 12] for step in range(12)]
    assert grades.is_drifting(climbing)
    assert grades.is_drifting(climbing[::-1])
    assert not grades.is_drifting(shuffled)


def test_too_few_processes_cannot_drift() -> None:
    assert not grades.is_drifting([1, 2, 3, 4, 5, 6, 7])
    assert not grades.is_drifting([1, 2] * 10)


def test_every_flag_has_a_meaning_in_words() -> None:
    assert disturbance.FLAG_MEANINGS.keys() == set(Flag)
