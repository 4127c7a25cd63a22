"""A run as a table: every row has every column, and no figure that the data do not support."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.rows import Per, column_place, finite_or_none, interval_to_columns, intervals_to_columns
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.intervals import Interval
from schemas.job import Cell
from schemas.record import Host, JobRecord, Manifest
from schemas.sweep import SweepSpec

PERS: list[Per] = ["cell", "job", "sample"]
MakeRows = Callable[[Per], list[dict[str, object]]]


@pytest.fixture
def records(
    make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord], make_records: Callable[..., list[JobRecord]]
) -> list[JobRecord]:
    fast, slow = make_cell("torch:eager"), make_cell("torch:script", parameters={"depth": 3, "width": 7})
    wrong = make_record(make_cell("jax:jit"), outcome="wrong")
    return [*make_records([(fast, 1000), (slow, 1500)], blocks=3), wrong]


@pytest.fixture
def rows(records: list[JobRecord], host: Host) -> MakeRows:
    """Return a function that makes the rows of a run with two measured cells and a wrong one."""
    cells = tuple({record.spec.cell.id: record.spec.cell for record in records}.values())
    manifest = Manifest(name="n", started="noon", command=(), sweep=SweepSpec(), seed=1, cells=cells, host=host)
    run = Run(name="mine", manifest=manifest, records=tuple(records))
    return lambda per: [dict(row) for row in run.rows(per)]


@pytest.mark.parametrize(("per", "count"), [("cell", 3), ("job", 7), ("sample", 18)])
def test_there_is_a_row_for_each(rows: MakeRows, per: Per, count: int) -> None:
    assert len(rows(per)) == count


@pytest.mark.parametrize("per", PERS)
def test_every_row_names_its_run_and_has_every_column_in_one_order(rows: MakeRows, per: Per, host: Host) -> None:
    found = rows(per)
    assert {tuple(row) for row in found} == {tuple(found[0])}
    assert {(row["run"], row["run_started"], row["fingerprint"]) for row in found} == {
        ("mine", "noon", host.content_hash)
    }


@pytest.mark.parametrize("per", PERS)
def test_the_cell_comes_first_then_all_parameters_then_the_figures(rows: MakeRows, per: Per) -> None:
    columns = list(rows(per)[0])
    places = [column_place(column) for column in columns[columns.index("cell") :]]
    assert places == sorted(places)


def test_a_parameter_that_a_cell_does_not_have_is_none(rows: MakeRows) -> None:
    widths = {row["label"]: row["parameter_width"] for row in rows("cell")}
    assert widths == {"torch:eager": None, "torch:script": 7, "jax:jit": None}


def test_a_wrong_cell_has_no_figure_and_no_rank(rows: MakeRows) -> None:
    (row,) = (row for row in rows("cell") if row["label"] == "jax:jit")
    assert (row["outcome"], row["floor_ns"], row["rank_best"], row["verdict"]) == ("wrong", None, None, None)


def test_an_interval_is_three_columns_with_the_unit_at_the_end() -> None:
    assert interval_to_columns("floor", "_ns", Interval(2.0, 1.0, 3.0)) == {
        "floor_ns": 2.0,
        "floor_low_ns": 1.0,
        "floor_high_ns": 3.0,
    }


@pytest.mark.parametrize(
    ("interval", "numbers"),
    [
        (None, (None, None, None)),
        (Interval(math.nan, -math.inf, math.inf), (None, None, None)),
        (Interval(2.0, 0.0, math.inf), (2.0, None, None)),
        (Interval(0.0, 0.0, 0.0), (0.0, None, 0.0)),
    ],
)
def test_what_the_data_do_not_support_is_none(interval: Interval | None, numbers: tuple[float | None, ...]) -> None:
    assert tuple(interval_to_columns("x", "", interval).values()) == numbers


def test_intervals_of_a_cell_that_does_not_count_are_empty() -> None:
    named = {"a": Interval(2.0, 1.0, 3.0), "b": Interval(5.0, 4.0, 6.0)}
    assert {*intervals_to_columns(named, "_ns", sound=False).values()} == {None}
    assert list(intervals_to_columns(named, "_ns", sound=True)) == [
        f"{name}{end}_ns" for name in "ab" for end in ("", "_low", "_high")
    ]


@given(st.floats())
def test_a_number_is_itself_or_none(value: float) -> None:
    found = finite_or_none(value)
    assert found == value if math.isfinite(value) else found is None
