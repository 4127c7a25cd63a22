from collections.abc import Callable

from orchestrator.planning import estimate
from schemas.job import Cell, Timing
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]


def test_what_jobs_took_lately_is_what_they_will_take(make_cell: MakeCell, make_record: MakeRecord) -> None:
    known = estimate.seconds_by_mode([make_record()])
    assert known == {"numpy:eager": 2.0}
    assert estimate.estimate_job_s(make_cell("numpy:eager"), Timing(), known) == 2.0


def test_jobs_that_failed_say_nothing_about_time(make_record: MakeRecord) -> None:
    assert estimate.seconds_by_mode([make_record(outcome="raised"), make_record(outside=None)]) == {}


def test_without_experience_longer_timing_takes_longer(make_cell: MakeCell) -> None:
    short, long = (estimate.estimate_job_s(make_cell(), Timing(samples=samples), {}) for samples in (10, 1000))
    assert 0 < short < long


def test_a_mode_that_compiles_takes_longer_than_one_that_does_not(make_cell: MakeCell) -> None:
    compiled, eager = (
        estimate.estimate_job_s(make_cell(mode), Timing(), {}) for mode in ("torch:compile", "torch:eager")
    )
    assert compiled > eager


def test_a_block_takes_as_long_as_its_jobs_together(make_cell: MakeCell) -> None:
    cells = [make_cell("numpy:eager"), make_cell("synthetic:spin")]
    assert estimate.estimate_block_s(cells, Timing(), {"numpy:eager": 2, "synthetic:spin": 3}) == 5


def test_what_a_job_was_stopped_for_says_nothing_about_the_next(make_record: MakeRecord) -> None:
    record = make_record()
    assert record.outside is not None
    stopped = record.model_copy(update={"outside": record.outside.model_copy(update={"stopped_ns": 15 * 10**8})})
    assert estimate.seconds_by_mode([stopped]) == {"numpy:eager": 0.5}


def test_the_duration_of_jobs_is_that_of_those_that_were_started(make_record: MakeRecord) -> None:
    assert estimate.total_duration_s([make_record(), make_record(outside=None), make_record()]) == 4.0
