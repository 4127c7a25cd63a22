"""Comparison along an axis: pairs within blocks, against the right base, in the right unit, as one family."""

import random
from collections.abc import Callable, Sequence

import pytest

from orchestrator.analysis.axis import AxisTable, compare_along_axis
from orchestrator.analysis.compare import CLAIMS, Verdict
from orchestrator.analysis.groups import group_results
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]


def compare(
    records: Sequence[JobRecord], cells: Sequence[Cell], axis: str, baseline: str | None = None
) -> tuple[AxisTable, ...]:
    return compare_along_axis(group_results(records, cells), records, axis, baseline)


def only(tables: tuple[AxisTable, ...]) -> AxisTable:
    (table,) = tables
    return table


def test_each_value_is_compared_with_the_first_of_its_mode(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell(label, threads=threads) for threads in (1, 2, 4) for label in ("torch:eager", "torch:trace")]
    times = zip(cells, (1000, 3000, 600, 1500, 500, 3000), strict=True)
    table = only(compare(make_records(list(times)), cells, "threads"))
    assert table.title == "mlp backward (depth=3), batch 1, float32, cpu"
    assert table.unit == "call"
    assert [(row.mode, row.value, row.base) for row in table.rows] == [
        (mode, value, 1) for mode in ("torch:eager", "torch:trace") for value in (1, 2, 4)
    ]
    ratios = [row.comparison and row.comparison.ratio.estimate for row in table.rows]
    assert [ratios[0], ratios[3]] == [None, None]
    assert [ratios[place] for place in (1, 2, 4, 5)] == pytest.approx([0.6, 0.5, 0.5, 1.0], rel=0.01)
    assert [found.verdict for found in table.comparisons] == [*[Verdict.FASTER] * 3, Verdict.EQUIVALENT]


def test_speed_up_and_efficiency_follow_from_the_ratio(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell(threads=threads) for threads in (1, 4)]
    one, four = only(compare(make_records([(cells[0], 1000), (cells[1], 500)]), cells, "threads")).rows
    assert (one.speed_up, one.efficiency) == (1, 1)
    assert [four.speed_up, four.efficiency] == pytest.approx([2, 0.5], rel=0.01)


def test_a_ratio_along_the_batch_is_of_the_time_of_an_example(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell(batch=batch) for batch in (1, 8, 32)]
    records = make_records(list(zip(cells, (1000, 8000, 8000), strict=True)))
    table = only(compare(records, cells, "batch"))
    assert table.unit == "example"
    assert [found.ratio.estimate for found in table.comparisons] == pytest.approx([1, 0.25], rel=0.01)
    assert [found.verdict for found in table.comparisons] == [Verdict.EQUIVALENT, Verdict.FASTER]
    assert [row.example_ns for row in table.rows] == pytest.approx([1000, 1000, 250], rel=0.01)


def test_a_baseline_may_be_a_value_of_the_axis(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell(parameters={"length": length}) for length in (8, 32)]
    records = make_records([(cells[0], 1000), (cells[1], 4000)])
    (found,) = only(compare(records, cells, "length", baseline="32")).comparisons
    assert (found.baseline, found.cell) == ("numpy:eager, length 32", "numpy:eager, length 8")
    assert found.ratio.estimate == pytest.approx(0.25, rel=0.01)
    (plain,) = only(compare(records, cells, "length", baseline="numpy:eager")).comparisons
    assert plain.baseline == "numpy:eager, length 8"


def test_other_axes_make_other_tables(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell(batch=batch, threads=threads) for batch in (1, 32) for threads in (1, 2)]
    records = make_records([(cell, 1000) for cell in cells])
    assert [table.title for table in compare(records, cells, "threads")] == [
        f"mlp backward (depth=3), batch {batch}, float32, cpu" for batch in (1, 32)
    ]
    assert compare(records, cells, "depth") == ()


def test_pairs_are_formed_within_blocks(make_cell: MakeCell, make_record: MakeRecord) -> None:
    """A machine that is slower from block to block changes both of a pair, and not their ratio."""
    cells, records = [make_cell(threads=threads) for threads in (1, 2)], []
    for block in range(1, 13):
        speed = 1 + block / 4
        records += [make_record(cells[0], block, call_ns=round(1000 * speed))]
        records += [make_record(cells[1], block, call_ns=round(900 * speed))]
    (found,) = only(compare(records, cells, "threads")).comparisons
    assert (found.blocks, found.verdict) == (12, Verdict.FASTER)
    assert found.ratio.low == pytest.approx(0.9, rel=0.01)
    assert found.ratio.high == pytest.approx(0.9, rel=0.01)


def test_a_value_that_was_not_measured_has_a_row_and_no_ratio(
    make_cell: MakeCell, make_record: MakeRecord, make_records: MakeRecords
) -> None:
    cells = [make_cell("torch:eager", dtype=dtype) for dtype in ("float32", "float64", "bfloat16")]
    records = make_records([(cells[1], 2000), (cells[2], 1000)])
    records.append(make_record(cells[0], outcome="wrong"))
    rows = only(compare(records, cells, "dtype")).rows
    assert [(row.value, row.base, row.comparison is None) for row in rows] == [
        ("float32", "float64", True),
        ("float64", "float64", True),
        ("bfloat16", "float64", False),
    ]


@pytest.mark.parametrize(("axis", "values"), [("threads", (1, 2)), ("batch", (1, 2))])
def test_a_difference_that_a_disturbance_can_have_caused_is_not_claimed(
    make_cell: MakeCell, make_record: MakeRecord, make_report: Callable[..., Report], axis: str, values: tuple[int, int]
) -> None:
    """The second value looks slower by a fifth in its unit of work, and waited for its core for half of the time."""
    cells = [make_cell(**{axis: value}) for value in values]

    def compare_waiting(share: float) -> Verdict:
        records = []
        for block in range(1, 13):
            report = make_report((1200 + block) * (2 if axis == "batch" else 1))
            waited = tuple(round(share * sample) for sample in report.samples_ns)
            used = tuple(sample - wait for sample, wait in zip(report.samples_ns, waited, strict=True))
            noise = report.noise.model_copy(update={"run_delay_ns": waited, "cpu_ns": used})
            records += [make_record(cells[0], block, result=make_report(1000 + block))]
            records += [make_record(cells[1], block, result=report.model_copy(update={"noise": noise}))]
        return only(compare(records, cells, axis)).comparisons[0].verdict

    assert compare_waiting(0.0) is Verdict.SLOWER
    assert compare_waiting(0.5) is Verdict.UNRESOLVED


def test_environments_are_compared_by_mode_although_labels_name_them(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell("torch:eager", environment=name) for name in ("torch@2.12", "torch@2.13")]
    cells.append(make_cell("numpy:eager", environment="numpy"))
    table = only(compare(make_records([(cell, 1000) for cell in cells]), cells, "environment"))
    assert [(row.mode, row.value) for row in table.rows] == [
        ("torch:eager", "torch@2.12"),
        ("torch:eager", "torch@2.13"),
    ]


def test_interpreters_are_told_apart_by_the_part_of_their_paths_that_differs(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell(environment=f"/home/me/{name}/bin/python") for name in ("base", "head")]
    table = only(compare(make_records([(cell, 1000) for cell in cells]), cells, "environment"))
    assert [(row.mode, row.value, row.base) for row in table.rows] == [
        ("numpy:eager", "base", "base"),
        ("numpy:eager", "head", "base"),
    ]


def test_accuracy_is_the_largest_error_with_its_own_tolerance(
    make_cell: MakeCell, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    def check(name: str, error: float | None, tolerance: float) -> dict[str, object]:
        return {
            "tensor": name,
            "inputs": "the first",
            "error": error,
            "worst": error,
            "tolerance": tolerance,
            "passed": True,
        }

    cells = [make_cell(dtype=dtype) for dtype in ("float32", "bfloat16")]
    checks = {
        cells[0].id: [check("y", 1e-7, 2e-6), check("loss", 3e-7, 4e-6)],
        cells[1].id: [check("y", 1e-3, 2e-2), check("loss", None, 1e-2)],
    }
    records = [
        make_record(cell, block, result=make_report(1000 + block, verification={"checks": checks[cell.id]}))
        for block in range(1, 9)
        for cell in cells
    ]
    found = [row.accuracy for row in only(compare(records, cells, "dtype")).rows]
    assert [(each.error, each.tolerance) for each in found if each] == [(3e-7, 4e-6), (1e-3, 2e-2)]
    assert [row.accuracy for row in only(compare(make_records_of(make_record, cells), cells, "dtype")).rows] == [
        None
    ] * 2


def make_records_of(make_record: MakeRecord, cells: Sequence[Cell]) -> list[JobRecord]:
    return [make_record(cell, block) for block in range(1, 9) for cell in cells]


def test_the_pairs_of_a_table_are_one_family(make_cell: MakeCell, make_records: MakeRecords) -> None:
    """Eight blocks suffice for two pairs, and not for forty: then the same data support no claim."""
    few = [make_cell(threads=threads) for threads in (1, 2)]
    many = [make_cell(threads=threads) for threads in range(1, 42)]
    for cells, claims in ((few, 1), (many, 0)):
        records = make_records([(cell, 1000 + 500 * cell.threads) for cell in cells], blocks=8)
        found = only(compare(records, cells, "threads")).comparisons
        assert sum(each.verdict in CLAIMS for each in found) == claims
        assert len(found) == len(cells) - 1
        assert all(each.significant == bool(claims) for each in found)


@pytest.mark.long
def test_a_table_of_equal_times_makes_false_claims_no_more_often_than_its_level(
    make_cell: MakeCell, make_record: MakeRecord
) -> None:
    cells, rng, false = [make_cell(threads=threads) for threads in (1, 2, 3, 4)], random.Random(5), 0
    for _ in range(100):
        records = [
            make_record(cell, block, call_ns=round(10_000 * (1 + rng.gauss(0, 0.05))))
            for block in range(1, 13)
            for cell in cells
        ]
        false += any(found.verdict in CLAIMS for found in only(compare(records, cells, "threads")).comparisons)
    # A level of 4 % exceeds 10 of 100 with a chance of 0.2 %, and the seed is fixed.
    assert false <= 10


def test_the_ids_of_compared_cells_are_those_with_a_ratio_and_their_bases(
    make_cell: MakeCell, make_record: MakeRecord, make_records: MakeRecords
) -> None:
    cells = [make_cell(label, threads=threads) for label in ("torch:eager", "numpy:eager") for threads in (1, 2)]
    records = make_records([(cell, 1000) for cell in cells[:3]])
    records.append(make_record(cells[3], outcome="wrong"))
    assert only(compare(records, cells, "threads")).compared_ids == {cells[0].id, cells[1].id}


def test_a_clone_is_in_no_table(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell(threads=1), make_cell(threads=2), make_cell(threads=1, replica=1)]
    table = only(compare(make_records([(cell, 1000) for cell in cells]), cells, "threads"))
    assert [row.result.cell.replica for row in table.rows] == [0, 0]


def test_nothing_measured_yet_is_a_table_without_ratios(make_cell: MakeCell) -> None:
    cells = [make_cell(threads=threads) for threads in (1, 2)]
    table = only(compare([], cells, "threads"))
    assert table.comparisons == ()
    assert [row.base for row in table.rows] == [1, 1]


def test_along_precisions_everything_is_compared_with_float32_from_high_to_low(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell("torch:eager", dtype=dtype) for dtype in ("float16", "float64", "float32")]
    cells.append(make_cell("torch:int8-dynamic"))
    records = make_records(list(zip(cells, (4000, 2000, 1000, 500), strict=True)))
    table = only(compare(records, cells, "precision"))
    assert table.title == "mlp backward (depth=3), batch 1, 1 thread, cpu"
    assert [(row.mode, row.value) for row in table.rows] == [
        ("torch:eager", value) for value in ("float64", "float32", "float16", "int8-dynamic")
    ]
    assert {row.base for row in table.rows} == {"float32"}
    ratios = [row.comparison and row.comparison.ratio.estimate for row in table.rows]
    assert ratios[1] is None
    assert [ratios[place] for place in (0, 2, 3)] == pytest.approx([2, 4, 0.5], rel=0.01)
    assert len(group_results(records, cells)) == 4
