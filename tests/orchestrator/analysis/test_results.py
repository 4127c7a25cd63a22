"""Results from records: the outcome of a cell, and the comparisons that are possible."""

from collections.abc import Callable
from typing import cast

import pytest

from orchestrator.analysis import cell_summary, groups
from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.results import Group
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]
MakeReport = Callable[..., Report]


def one(found: tuple[Group, ...]) -> Group:
    (group,) = found
    return group


def test_cells_of_one_computation_stand_in_one_group_in_the_order_of_the_plan(make_cell: MakeCell) -> None:
    cells = [make_cell("numpy:eager", batch=batch) for batch in (1, 2)]
    cells += [make_cell("synthetic:spin", batch=batch) for batch in (1, 2)]
    found = groups.group_results([], cells)
    assert [[each.cell for each in group.results] for group in found] == [[cells[0], cells[2]], [cells[1], cells[3]]]


@pytest.mark.parametrize(
    "change",
    [
        {"workload": "rnn"},
        {"parameters": {"depth": 4}},
        {"task": "forward"},
        {"batch": 2},
        {"dtype": "float64"},
        {"threads": 2},
        {"track": "defaults"},
        {"cache": "warm"},
        {"shapes": "stream"},
        {"origin": "file"},
        {"device": "cuda"},
    ],
)
def test_what_computes_something_else_is_not_compared(make_cell: MakeCell, change: dict[str, object]) -> None:
    assert len(groups.group_results([], [make_cell(), make_cell("synthetic:spin", **change)])) == 2


def test_what_filled_a_cache_is_no_measurement_of_a_warm_one_but_its_failure_speaks(
    make_cell: MakeCell, make_record: MakeRecord
) -> None:
    cell = make_cell(cache="warm")
    filled, failed, warm = make_record(cell, 0, call_ns=9), make_record(cell, 0, "wrong"), make_record(cell, 1)
    (found,) = one(groups.group_results([filled, warm], [cell])).results
    assert found.jobs == 1
    assert found.floor_ns.estimate == pytest.approx(1000)
    assert one(groups.group_results([filled], [cell])).results[0].outcome is None
    assert one(groups.group_results([failed], [cell])).results[0].outcome == "wrong"


def test_times_are_nanoseconds_per_call_over_processes(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cell = make_cell()
    (found,) = one(groups.group_results(make_records([(cell, 5000)]), [cell])).results
    assert found.jobs == 12
    assert found.outcome == "measured"
    assert found.floor_ns.low <= found.floor_ns.estimate <= found.floor_ns.high
    assert found.floor_ns.estimate == pytest.approx(5000, rel=0.01)
    assert found.typical_ns.estimate == pytest.approx(5050, rel=0.01)


def test_a_cell_that_was_not_run_has_no_outcome_and_no_time(make_cell: MakeCell) -> None:
    (found,) = one(groups.group_results([], [make_cell()])).results
    assert (found.jobs, found.outcome) == (0, None)
    assert not found.floor_ns.estimate > 0


@pytest.mark.parametrize(
    ("outcomes", "speaks"),
    [
        (["measured", "raised"], "measured"),
        (["raised", "measured"], "measured"),
        (["measured", "wrong", "measured"], "wrong"),
        (["unfair", "measured"], "unfair"),
        (["raised", "timeout"], "timeout"),
        (["measured", "interrupted"], "measured"),
    ],
)
def test_one_outcome_speaks_for_a_cell(
    make_cell: MakeCell, make_record: MakeRecord, outcomes: list[str], speaks: str
) -> None:
    records = [make_record(outcome=outcome, block=block) for block, outcome in enumerate(outcomes, 1)]
    (found,) = one(groups.group_results(records, [make_cell()])).results
    assert found.outcome == speaks


def test_a_wrong_cell_has_a_time_and_no_rank(make_cell: MakeCell, make_record: MakeRecord) -> None:
    right, wrong, other = make_cell("numpy:eager"), make_cell("synthetic:wrong"), make_cell("synthetic:spin")
    records = [make_record(cell, call_ns=9000) for cell in (right, other)] + [make_record(wrong, outcome="wrong")]
    group = one(groups.group_results(records, [wrong, right, other]))
    assert group.result("synthetic:wrong").floor_ns.estimate == pytest.approx(1000)
    assert {standing.cell for standing in group.standings} == {"numpy:eager", "synthetic:spin"}
    assert all("synthetic:wrong" not in (each.baseline, each.cell) for each in group.comparisons)
    assert group.baseline == "numpy:eager"


def test_a_real_difference_is_found_and_seen_from_the_baseline(make_cell: MakeCell, make_records: MakeRecords) -> None:
    slow, fast = make_cell("numpy:eager"), make_cell("synthetic:spin")
    group = one(groups.group_results(make_records([(slow, 2000), (fast, 1000)]), [slow, fast], "synthetic:spin"))
    assert group.baseline == "synthetic:spin"
    assert list(group.against) == ["numpy:eager"]
    assert group.against["numpy:eager"].verdict == Verdict.SLOWER
    assert group.against["numpy:eager"].ratio.estimate == pytest.approx(2, rel=0.02)


def test_a_baseline_that_failed_is_replaced_by_the_first_that_did_not(
    make_cell: MakeCell, make_record: MakeRecord
) -> None:
    cells = [make_cell("synthetic:raise"), make_cell("synthetic:spin")]
    group = one(groups.group_results([make_record(cells[0], outcome="raised")], cells, "synthetic:raise"))
    assert group.baseline == "synthetic:spin"


def test_the_clone_is_compared_with_its_original_and_has_no_rank(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cell, other = make_cell("numpy:eager"), make_cell("synthetic:spin")
    twin = cell.model_copy(update={"replica": 1})
    group = one(groups.group_results(make_records([(cell, 2000), (other, 1000), (twin, 2000)]), [cell, other, twin]))
    assert group.clone is not None
    assert (group.clone.baseline, group.clone.cell) == ("numpy:eager", "numpy:eager (A/A)")
    assert group.clone.verdict in (Verdict.EQUIVALENT, Verdict.UNRESOLVED)
    assert "numpy:eager (A/A)" not in {standing.cell for standing in group.standings}


def test_the_clone_of_a_cell_that_failed_is_compared_with_nothing(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cell = make_cell()
    twin = cell.model_copy(update={"replica": 1})
    assert (
        one(groups.group_results([make_record(cell, outcome="raised"), make_record(twin)], [cell, twin])).clone is None
    )


def test_only_blocks_that_both_measured_are_compared(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cell, other = make_cell("numpy:eager"), make_cell("synthetic:spin")
    records = make_records([(cell, 1000), (other, 1000)])
    kept = [record for record in records if record.spec.cell == cell or record.spec.block != 5]
    (comparison,) = one(groups.group_results(kept, [cell, other])).comparisons
    assert comparison.blocks == 11


Change = Callable[[JobRecord], JobRecord]


def resampled(samples: int) -> Change:
    """Return a change that keeps only the first samples of a process."""

    def change(record: JobRecord) -> JobRecord:
        assert record.report is not None
        noise = {name: counts[:samples] for name, counts in record.report.noise if isinstance(counts, tuple)}
        few = {"samples_ns": record.report.samples_ns[:samples], "noise": record.report.noise.model_copy(update=noise)}
        return record.model_copy(update={"result": record.report.model_copy(update=few)})

    return change


def retimed(factor: float, calls: int = 100) -> Change:
    """Return a change that multiplies the target length of a process's samples by a factor."""

    def change(record: JobRecord) -> JobRecord:
        assert record.report is not None
        timing = record.spec.timing.model_copy(update={"sample_ns": round(factor * record.spec.timing.sample_ns)})
        spec = record.spec.model_copy(update={"timing": timing})
        return record.model_copy(update={"spec": spec, "result": record.report.model_copy(update={"calls": calls})})

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (retimed(2), "samples were set to last 1 ms in one process and 2 ms in the other"),
        (retimed(0.5), "samples were set to last 0.5 ms in one process and 1 ms in the other"),
    ],
)
def test_floors_of_processes_that_were_sampled_differently_are_not_compared(
    make_cell: MakeCell, make_records: MakeRecords, change: Change, reason: str
) -> None:
    cell, other = make_cell("numpy:eager"), make_cell("synthetic:spin")
    records = [
        change(record) if record.spec.cell == other else record for record in make_records([(cell, 2000), (other, 100)])
    ]
    (comparison,) = one(groups.group_results(records, [cell, other])).comparisons
    assert (comparison.blocks, comparison.verdict) == (0, Verdict.UNRESOLVED)
    assert comparison.reason == f"12 blocks are not compared: {reason}"
    assert comparison.flipped().reason == comparison.reason


def test_floors_of_unequal_numbers_of_samples_are_compared_as_expected_of_the_smaller_number(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    """Compare samples of 1.01, 1 and 1.01 with the first two: of the three, two drawn miss the 1 once in three."""
    cell, other = make_cell("numpy:eager"), make_cell("synthetic:spin")
    records = make_records([(cell, 2000), (other, 2000)], noise=0.0)
    fewer = [resampled(2)(record) if record.spec.cell == other else record for record in records]
    (comparison,) = one(groups.group_results(fewer, [cell, other])).comparisons
    assert (comparison.blocks, comparison.reason) == (12, "")
    assert comparison.ratio.estimate == pytest.approx(1.01 ** (-1 / 3))
    (alone,) = one(groups.group_results([each for each in fewer if each.spec.cell == other], [other])).results
    assert alone.floor_ns.estimate == 2000


@pytest.mark.parametrize("change", [retimed(1.5), retimed(1 / 1.5), retimed(10, calls=1)])
def test_slow_calls_and_samples_of_about_one_length_are_compared(
    make_cell: MakeCell, make_records: MakeRecords, change: Change
) -> None:
    cell, other = make_cell("numpy:eager"), make_cell("synthetic:spin")
    records = [
        change(record) if record.spec.cell == other else record for record in make_records([(cell, 100), (other, 2000)])
    ]
    (comparison,) = one(groups.group_results(records, [cell, other])).comparisons
    assert (comparison.blocks, comparison.reason, comparison.verdict) == (12, "", Verdict.SLOWER)


def test_blocks_that_were_sampled_alike_are_compared_beside_others_that_were_not(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cell, other = make_cell("numpy:eager"), make_cell("synthetic:spin")
    records = make_records([(cell, 2000), (other, 1000)])
    longer = [record if record.spec.block < 9 else retimed(2)(record) for record in records]
    (alike,) = one(groups.group_results(longer, [cell, other])).comparisons
    assert (alike.blocks, alike.reason) == (12, "")
    mixed = [record if record.spec.cell == cell else kept for record, kept in zip(records, longer, strict=True)]
    (comparison,) = one(groups.group_results(mixed, [cell, other])).comparisons
    assert (comparison.blocks, comparison.verdict) == (8, Verdict.FASTER)
    assert comparison.reason.startswith("4 blocks are not compared")


@pytest.mark.parametrize(
    "oddity",
    [
        {"warmup": ()},
        {"samples_ns": (100,)},
        {"noise": {"run_delay_ns": (1,)}},
        {"noise": {"steal_ns": ()}},
        {"noise": {"cpu_ns": (1, 2, 3, 4)}},
        {"noise": {"canary_ns": ()}},
    ],
)
def test_a_report_that_a_worker_could_send_is_refused_or_understood(
    make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport, oddity: dict[str, object]
) -> None:
    plain = make_report().model_dump()
    noise = {"noise": plain["noise"] | cast("dict[str, object]", oddity.get("noise", {}))}
    try:
        report = Report.model_validate(plain | oddity | noise)
    except ValueError:
        return
    (found,) = one(groups.group_results([make_record(result=report)], [make_cell()])).results
    assert found.outcome == "measured"


def test_a_failure_and_an_interruption_do_not_take_a_measured_cell_its_place(
    make_cell: MakeCell, make_record: MakeRecord
) -> None:
    cell = make_cell()
    ends = ("measured", "measured", "nonlinear", "interrupted", "orchestrator-lost")
    records = [make_record(cell, block, outcome=outcome) for block, outcome in enumerate(ends, 1)]
    speaker = cell_summary.select_deciding_job(records)
    assert speaker is not None
    assert speaker.outcome == "measured"


def test_each_mode_is_compared_with_the_baseline_and_with_the_mode_it_has_to_beat(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    labels = ("torch:eager", "torch:trace", "torch:script", "tensorflow:function", "tensorflow:eager")
    cells = [make_cell(label) for label in labels]
    records = make_records([(cell, 1000 * (1 + place)) for place, cell in enumerate(cells)])
    group = one(groups.group_results(records, cells))
    assert [(each.baseline, each.cell) for each in group.comparisons] == [
        *(("torch:eager", label) for label in labels[1:]),
        ("tensorflow:eager", "tensorflow:function"),
    ]
    assert len(group.all_pairs) == 10
    assert one(groups.group_results(records, cells, compared="all")).comparisons == group.all_pairs


def test_ranks_and_pairs_that_are_not_asked_rest_on_all_pairs(make_cell: MakeCell, make_records: MakeRecords) -> None:
    labels = ("torch:eager", "torch:trace", "torch:script")
    cells = [make_cell(label) for label in labels]
    group = one(groups.group_results(make_records([(cell, 1000 * 2**n) for n, cell in enumerate(cells)]), cells))
    asked = {(each.baseline, each.cell) for each in group.comparisons}
    assert asked == {("torch:eager", "torch:trace"), ("torch:eager", "torch:script")}
    assert group.pairs["torch:trace", "torch:script"].verdict is Verdict.SLOWER
    assert group.pairs["torch:script", "torch:trace"].verdict is Verdict.FASTER
    assert [(each.best, each.worst) for each in group.standings] == [(1, 1), (2, 2), (3, 3)]


def test_fewer_pairs_are_decided_by_fewer_blocks_and_ranks_say_how_many_they_need(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    labels = ("torch:eager", "torch:trace", "torch:script", "tensorflow:function", "tensorflow:eager")
    cells = [make_cell(label) for label in labels]
    times = [(cell, 1000 * (1 + place)) for place, cell in enumerate(cells)]
    eight = one(groups.group_results(make_records(times, blocks=8), cells))
    assert {each.verdict for each in eight.comparisons} == {Verdict.SLOWER, Verdict.FASTER}
    assert {each.verdict for each in eight.all_pairs} == {Verdict.UNRESOLVED}
    assert eight.blocks_for_ranks == 9
    nine = one(groups.group_results(make_records(times, blocks=9), cells))
    assert nine.blocks_for_ranks == 0
    assert [(each.best, each.worst) for each in nine.standings] == [(place, place) for place in range(1, 6)]


def test_a_baseline_in_the_middle_and_its_sibling_make_one_pair(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell(label) for label in ("torch:eager", "torch:trace", "torch:script")]
    group = one(groups.group_results(make_records([(cell, 1000) for cell in cells]), cells, "torch:trace"))
    assert [(each.baseline, each.cell) for each in group.comparisons] == [
        ("torch:trace", "torch:eager"),
        ("torch:trace", "torch:script"),
        ("torch:eager", "torch:script"),
    ]


@pytest.mark.parametrize(
    ("blocks", "ranks"), [(8, [(1, 1), (2, 5), (2, 5), (2, 4), (3, 5)]), (9, [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)])]
)
def test_ranks_rest_on_the_compared_pairs_where_all_pairs_need_more_blocks(
    make_cell: MakeCell, make_records: MakeRecords, blocks: int, ranks: list[tuple[int, int]]
) -> None:
    labels = ("torch:eager", "torch:trace", "torch:script", "tensorflow:function", "tensorflow:eager")
    times = [(make_cell(label), 1000 * (1 + place)) for place, label in enumerate(labels)]
    (group,) = groups.group_results(make_records(times, blocks=blocks), [cell for cell, _ in times])
    assert [standing.cell for standing in group.standings] == [*labels]
    assert [(standing.best, standing.worst) for standing in group.standings] == ranks
