"""Forked processes against fresh ones: when they are told apart, and what a reader learns."""

from collections.abc import Callable, Sequence

import pytest

from orchestrator.analysis.cell_summary import summarise_cell
from orchestrator.analysis.costs.phase_costs import summarise_phases
from orchestrator.analysis.derivation.memory import compute_memory_metrics
from orchestrator.analysis.derivation.process import derive_processes
from orchestrator.analysis.process_scores import list_phase_costs, make_cost_curves, score_processes
from orchestrator.analysis.quality.starts import START_MARGIN, describe_starts, differ_by_start
from schemas.event import Report
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_spec

MakeRecord = Callable[..., JobRecord]
MakeReport = Callable[..., Report]
Tell = Callable[..., list[JobRecord]]

OUTSIDE = {"started": "", "spawn_to_end_ns": 1, "exit_status": 0, "last_phase": None, "load_before": 0.0}


@pytest.fixture
def tell(make_record: MakeRecord, make_report: MakeReport) -> Tell:
    """Make the records of a cell with these times per call: fresh processes first, then forked ones."""

    def make(fresh: Sequence[int], forked: Sequence[int], **changes: object) -> list[JobRecord]:
        times = [*((each, False) for each in fresh), *((each, True) for each in forked)]
        return [
            make_record(
                spec=a_spec(block=block, start="template" if is_forked else "fresh"),
                result=make_report(call_ns, forked=is_forked, **changes),
            )
            for block, (call_ns, is_forked) in enumerate(times, start=1)
        ]

    return make


@pytest.mark.parametrize(
    ("fresh", "forked", "differ"),
    [
        ((1000, 1001), (1000, 1002, 1001), False),
        ((1000, 1001), (1030, 1040, 1032), True),
        ((1030, 1040), (1000, 1001, 1002), True),
        # One of either kind among the others is enough to doubt.
        ((1000, 1031), (1030, 1040, 1032), False),
        ((1000, 1001), (1030, 1040, 1001), False),
        # A gap within the margin.
        ((1000, 1001), (1010, 1011, 1012), False),
        # Too few to tell.
        ((1000,), (1100, 1100, 1100), False),
        ((1000, 1000), (1100,), False),
    ],
)
def test_kinds_of_processes_differ_if_a_gap_lies_between_them(
    tell: Tell, fresh: Sequence[int], forked: Sequence[int], *, differ: bool
) -> None:
    assert START_MARGIN < 0.02  # what follows is made for that
    assert differ_by_start(tell(fresh, forked)) is differ


def test_what_disturbances_can_have_cost_is_no_gap(tell: Tell, make_report: MakeReport) -> None:
    # Each forked sample has waited for a tenth of its time.
    noise = make_report().noise.model_dump() | {"cpu_ns": (1,) * 3, "run_delay_ns": (10_000,) * 3}
    quiet, disturbed = tell((1000, 1001), ()), tell((), (1030, 1040, 1035), noise=noise)
    assert not differ_by_start([*quiet, *disturbed])
    assert differ_by_start([*quiet, *tell((), (1030, 1040, 1035))])


def test_forked_processes_that_differ_do_not_count(tell: Tell) -> None:
    assert [*score_processes(tell((1000, 1001), (1000, 1002))).floor] == [1, 2, 3, 4]
    assert [*score_processes(tell((1000, 1001), (1100, 1102))).floor] == [1, 2]


def make_phases(import_ns: int, first_ns: int) -> dict[str, object]:
    names = {"import": import_ns, "first_call": first_ns}
    return {"phases": [{"name": name, "wall_ns": took, "cpu_ns": took} for name, took in names.items()]}


def move_blocks(records: Sequence[JobRecord], first: int) -> list[JobRecord]:
    return [each.model_copy(update={"spec": a_spec(block=first + n)}) for n, each in enumerate(records)]


def test_the_start_of_a_forked_process_costs_what_it_would_have_cost_a_fresh_one(tell: Tell) -> None:
    fresh = [*tell((1000,), (), **make_phases(500, 70)), *tell((1000,), (), **make_phases(520, 90))]
    forked = [each for first in (110, 120, 160) for each in tell((), (1000,), **make_phases(0, first))]
    curves = make_cost_curves([*fresh, *move_blocks(forked, 11)])
    # Their own costs differ as they did; the median of the first results becomes that of the fresh ones, 80.
    assert {block: curves[block].floor_total_ns(1, "model") for block in (11, 12, 13)} == {11: 70, 12: 80, 13: 120}
    assert {curves[block].before_model_ns for block in (11, 12, 13)} == {510}
    assert curves[11].least.before_model_ns == 510


def test_the_start_of_a_forked_process_costs_no_less_than_any_fresh_one(tell: Tell) -> None:
    fresh = [*tell((1000,), (), **make_phases(500, 70)), *tell((1000,), (), **make_phases(500, 70))]
    forked = [each for first in (5, 160, 170) for each in tell((), (1000,), **make_phases(0, first))]
    assert make_cost_curves([*fresh, *move_blocks(forked, 11)])[11].floor_total_ns(1, "model") == 70


def test_without_a_fresh_process_nothing_is_known_of_a_start(tell: Tell) -> None:
    assert make_cost_curves(tell((), (1000, 1000))) == {}


def test_the_first_result_of_a_mode_is_that_of_its_fresh_processes(tell: Tell) -> None:
    records = [*tell((1000, 1000), (), **make_phases(5, 70)), *move_blocks(tell((), (1000,), **make_phases(0, 900)), 9)]
    result = summarise_cell(records[0].spec.cell, records, 0)
    assert (result.first_ns.estimate, result.jobs) == (70, 3)


def test_a_forked_process_has_no_memory_of_its_own(make_report: MakeReport) -> None:
    size = {"start": 0, "peak": 9, "end": 8, "pss": None, "uss": None, "processes": 1}
    phases = [{"name": name, "wall_ns": 1, "cpu_ns": 1, "memory": size} for name in ("import", "data", "build")]
    said = {"phases": phases, "memory": {"steps": [{"start": 8, "peak": 9}], "trimmed": True}}
    assert compute_memory_metrics(make_report(**said))
    assert compute_memory_metrics(make_report(**said, forked=True)) == {}


def test_phases_are_those_of_fresh_processes(make_report: MakeReport, make_record: MakeRecord) -> None:
    long, short = ([{"name": "import", "wall_ns": wall_ns, "cpu_ns": 1}] for wall_ns in (1000, 1))
    reports = [make_report(phases=long), make_report(phases=short, forked=True), make_report(phases=short, forked=True)]
    processes = derive_processes([make_record(result=report) for report in reports])
    assert [each.wall_ns.estimate for each in summarise_phases(list_phase_costs(processes))] == [1000]


def test_a_reader_learns_that_only_fresh_processes_count(tell: Tell) -> None:
    assert describe_starts(tell((1000, 1001), (1000, 1002))) == []
    (said,) = describe_starts(tell((1000, 1001), (1100, 1102)))
    assert "only fresh ones count" in said


@pytest.mark.parametrize(
    ("obstacles", "said"),
    [
        (("importing x starts 1 thread",) * 2, ["Its processes all start fresh, because importing x starts 1 thread."]),
        (("its template has ended", ""), []),
        (("", ""), []),
    ],
)
def test_a_reader_learns_why_a_framework_is_never_forked(
    tell: Tell, obstacles: Sequence[str], said: Sequence[str]
) -> None:
    first, *others = tell((1000,), (1000, 1000))
    assert first.outside is not None
    forked = [
        each.model_copy(update={"outside": first.outside.model_copy(update={"obstacle": obstacle})})
        for each, obstacle in zip(others, obstacles, strict=True)
    ]
    assert describe_starts([first, *forked]) == said
