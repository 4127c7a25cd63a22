from collections.abc import Callable

import pytest

from orchestrator.planning import estimate
from schemas.event import PhaseCost, Report
from schemas.job import Cell, Timing
from schemas.models import ModelSource
from schemas.record import JobRecord
from tests.orchestrator.conftest import HOST

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]


def test_what_jobs_took_lately_is_what_they_will_take(make_cell: MakeCell, make_record: MakeRecord) -> None:
    known = estimate.seconds_by_mode([make_record()], HOST)
    assert known == {"numpy:eager": 2.0}
    assert estimate.estimate_job_s(make_cell("numpy:eager"), Timing(), known) == 2.0


def test_jobs_on_another_type_of_machine_say_nothing_about_this_one(make_record: MakeRecord) -> None:
    other = HOST.model_copy(update={"cores": 64})
    slow = make_record().model_copy(update={"host": other})
    records = [make_record(), slow, slow, slow]
    slower = [
        each.model_copy(update={"outside": each.outside.model_copy(update={"spawn_to_end_ns": 9 * 10**9})})
        if each.host == other and each.outside
        else each
        for each in records
    ]
    assert estimate.seconds_by_mode(slower, HOST) == {"numpy:eager": 2.0}
    assert estimate.seconds_by_mode(slower, other) == {"numpy:eager": 9.0}
    assert estimate.seconds_by_mode(slower, None) == {"numpy:eager": 9.0}
    assert estimate.seconds_by_mode(slower, HOST.model_copy(update={"cores": 4})) == {}


def test_what_only_some_sweeps_ask_for_is_no_part_of_what_others_take(
    make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    report = make_report()
    served = PhaseCost(name="throughput", wall_ns=500_000_000, cpu_ns=0)
    record = make_record(result=report.model_copy(update={"phases": (*report.phases, served)}))
    assert estimate.seconds_by_mode([record], HOST) == {"numpy:eager": pytest.approx(1.5)}


def test_clients_at_once_take_rounds_and_further_processes(make_cell: MakeCell) -> None:
    cell, known = make_cell("numpy:eager"), {"numpy:eager": 2.0}
    took = [
        estimate.estimate_job_s(cell, Timing(concurrency=clients), known, cores=2)
        for clients in ((), (1,), (1, 2), (1, 2, 5))
    ]
    assert took == pytest.approx([2.0, 2 + 1.3, 2 + 3 * 1.3 + 1, 2 + 5 * 1.3 + 4])


def test_jobs_that_failed_say_nothing_about_time(make_record: MakeRecord) -> None:
    assert estimate.seconds_by_mode([make_record(outcome="raised"), make_record(outside=None)], HOST) == {}


def test_without_experience_longer_timing_takes_longer(make_cell: MakeCell) -> None:
    short, long = (estimate.estimate_job_s(make_cell(), Timing(samples=samples), {}) for samples in (10, 1000))
    assert 0 < short < long


def test_a_mode_that_compiles_takes_longer_than_one_that_does_not(make_cell: MakeCell) -> None:
    compiled, eager = (
        estimate.estimate_job_s(make_cell(mode), Timing(), {}) for mode in ("torch:compile", "torch:eager")
    )
    assert compiled > eager


@pytest.mark.parametrize(
    ("kind", "mode", "compiles"),
    [
        ("", "torch:aot", True),
        ("exported-program", "torch:aot", True),
        ("torchscript", "torch:compile", True),
        ("aoti-package", "torch:aot", False),
    ],
)
def test_a_mode_that_opens_a_compiled_file_does_not_compile(
    make_cell: MakeCell, make_record: MakeRecord, kind: str, mode: str, *, compiles: bool
) -> None:
    model = ModelSource(file="/m/net.pt2", folder="/m", kind=kind)
    eager = estimate.estimate_job_s(make_cell("torch:eager"), Timing(), {})
    assert (estimate.estimate_job_s(make_cell(mode), Timing(), {}, model) > eager) is compiles
    took = make_record(make_cell(mode))
    took = took.model_copy(update={"spec": took.spec.model_copy(update={"model": model})})
    known = estimate.seconds_by_mode([took], HOST)
    assert estimate.estimate_job_s(make_cell(mode), Timing(), known, model) == 2.0
    assert (estimate.estimate_job_s(make_cell(mode), Timing(), known) == 2.0) is compiles


def test_a_job_that_loads_a_saved_model_does_not_compile(make_cell: MakeCell) -> None:
    loaded, built = (make_cell("torch:aot", origin=origin) for origin in ("file", "source"))
    assert estimate.estimate_job_s(loaded, Timing(), {}) < estimate.estimate_job_s(built, Timing(), {})


def test_a_mode_with_a_warm_cache_compiles_less(make_cell: MakeCell) -> None:
    warm, cold = (
        estimate.estimate_job_s(make_cell("torch:compile", cache=cache), Timing(), {}) for cache in ("warm", "cold")
    )
    eager = estimate.estimate_job_s(make_cell("torch:eager"), Timing(), {})
    assert eager < warm < (eager + cold) / 2


def test_what_a_job_was_stopped_for_says_nothing_about_the_next(make_record: MakeRecord) -> None:
    record = make_record()
    assert record.outside is not None
    stopped = record.model_copy(update={"outside": record.outside.model_copy(update={"stopped_ns": 15 * 10**8})})
    assert estimate.seconds_by_mode([stopped], HOST) == {"numpy:eager": 0.5}


def test_the_duration_of_jobs_is_that_of_those_that_were_started(make_record: MakeRecord) -> None:
    assert estimate.total_duration_s([make_record(), make_record(outside=None), make_record()]) == 4.0


def test_forked_jobs_say_nothing_about_fresh_ones(make_record: MakeRecord, make_report: Callable[..., Report]) -> None:
    forked = make_record(result=make_report(forked=True))
    assert estimate.seconds_by_mode([forked], HOST) == {}
    assert estimate.seconds_by_mode([forked, make_record()], HOST) == {"numpy:eager": 2.0}


def test_a_start_is_no_more_than_a_part_of_a_job(make_cell: MakeCell) -> None:
    assert estimate.estimate_start_s(make_cell("tensorflow:function"), 100.0) > 1
    assert estimate.estimate_start_s(make_cell("tensorflow:function"), 1.0) == estimate.MAX_START_SHARE


def test_a_block_of_forked_jobs_imports_each_framework_once_and_side_by_side(make_cell: MakeCell) -> None:
    eager, traced, clone = make_cell("torch:eager"), make_cell("torch:trace"), make_cell("torch:eager", replica=1)
    start_s = estimate.estimate_start_s(eager, 10.0)
    cases = (([eager], 1, 1), ([eager, traced], 1, 1), ([eager, clone], 1, 2), ([eager, clone], 2, 1))
    for cells, cores, openings in cases:
        took_s = estimate.estimate_forked_s([(cell, 10.0) for cell in cells], cores)
        assert took_s == pytest.approx(10 * len(cells) - start_s * (len(cells) - openings))


def test_a_job_that_loads_compiled_code_still_compiles_its_kernels(make_cell: MakeCell) -> None:
    loaded, built, eager = (
        estimate.estimate_job_s(make_cell(mode, origin=origin), Timing(), {})
        for mode, origin in (("torch:compile", "file"), ("torch:compile", "source"), ("torch:eager", "source"))
    )
    assert loaded == built > eager
