"""Charts of a run whose results are known: each draws them, and its table states the same numbers."""

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import vl_convert

from orchestrator.analysis.costs.phase_costs import PHASES
from orchestrator.analysis.derivation.disturbance import Flag
from orchestrator.analysis.derivation.process import derive_processes
from orchestrator.analysis.run import Run
from orchestrator.report.page import vega
from orchestrator.report.page.charts import (
    Chart,
    cost,
    memory,
    phases,
    ratios,
    roofline,
    samples,
    schedule,
    times,
    to_chart_number,
    warmup,
)
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_run
from tests.orchestrator.report.conftest import first_section


def rows(figure: Chart, **wanted: object) -> list[dict[str, Any]]:
    """Return the drawn rows that have these values."""
    every = [dict(zip(figure.columns, row.cells, strict=True)) for row in figure.rows]
    return [row for row in every if all(row[name] == value for name, value in wanted.items())]


def told(figure: Chart, label: str) -> dict[str, Any]:
    """Return the table's row of a mode."""
    (row,) = (row for row in figure.table.rows if row.cells[0] == label)
    return dict(zip(figure.table.headings, row.cells, strict=True))


def figures(run: Run) -> list[Chart]:
    section = first_section(run)
    found = [
        times.make_chart(section),
        ratios.make_chart(section),
        *cost.make_charts(section),
        phases.make_chart(section),
        memory.make_chart(section),
        warmup.make_chart(section),
        samples.make_chart(section, 9),
        roofline.make_chart(section),
        schedule.make_chart(run.processes, 9),
    ]
    assert None not in found
    return [figure for figure in found if figure is not None]


def filled(figure: Chart) -> dict[str, Any]:
    """Fill in a chart's specification as a page does."""
    count, spec = len(figure.modes), vega.build_specifications()[figure.kind]
    columns = {
        "$modes": list(figure.modes),
        "$tones": ["blue"] * count,
        "$dashes": [[2, 2]] * count,
        "$shapes": ["circle"] * count,
        "$height": 200,
        "$columns": 3,
    }

    def fill(value: object) -> object:
        if isinstance(value, dict):
            return {name: fill(each) for name, each in value.items()}
        if isinstance(value, list):
            return [fill(each) for each in value]
        return columns.get(value, value) if isinstance(value, str) else value

    found = fill(spec)
    assert isinstance(found, dict)
    return found | {"data": {"values": [row | {"tone": "blue"} for row in rows(figure)]}, "width": 600}


def test_every_picture_is_one_that_the_page_can_draw(known_run: Run) -> None:
    assert {figure.kind for figure in figures(known_run)} | {"nodes"} == vega.build_specifications().keys()


def test_every_picture_is_drawn_with_marks_of_its_modes(known_run: Run) -> None:
    for figure in figures(known_run):
        svg = vl_convert.vegalite_to_svg(filled(figure), config=vega.CONFIG)
        assert svg.count("<path") > 10, figure.kind
        assert all(mode in svg for mode in figure.modes), figure.kind


def test_the_same_records_give_the_same_pictures(known_run: Run) -> None:
    one, other = (
        [vl_convert.vegalite_to_svg(filled(figure), config=vega.CONFIG) for figure in figures(known_run)]
        for _ in range(2)
    )
    assert one == other


@pytest.mark.parametrize(
    ("kind", "ticks"),
    [
        ("times", ("20 µs", "50 µs")),
        ("cost", ("1 ms", "100 s", "100,000", "1M")),
        ("phases", ("100 ms",)),
        ("memory", ("0", "100")),
        ("samples", ("1 ×",)),
        ("roofline", ("10 G", "100 G")),
    ],
)
def test_axes_are_written_as_people_read_them(known_run: Run, kind: str, ticks: tuple[str, ...]) -> None:
    figure = next(figure for figure in figures(known_run) if figure.kind == kind)
    svg = vl_convert.vegalite_to_svg(filled(figure), config=vega.CONFIG)
    assert [tick for tick in ticks if f">{tick}<" not in svg] == []


@pytest.mark.parametrize(("low", "high"), [(60_000, 60_600), (20_000, 90_000), (700, 40_000), (50, 9e9)])
def test_the_axis_of_times_shows_only_their_range_and_has_ticks_within_it(
    known_run: Run, low: float, high: float
) -> None:
    figure = times.make_chart(first_section(known_run))
    places = [figure.columns.index(name) for name in ("ns", "low", "high", "end")]
    stretched = tuple(
        dataclasses.replace(
            row,
            cells=tuple((low, high)[number % 2] if place in places else cell for place, cell in enumerate(row.cells)),
        )
        for number, row in enumerate(figure.rows)
    )
    svg = vl_convert.vegalite_to_svg(filled(dataclasses.replace(figure, rows=stretched)), config=vega.CONFIG)
    units = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}
    ticks = [float(value) * units[unit] for value, unit in re.findall(r">([\d.]+) (ns|µs|ms|s)<", svg)]
    assert len(ticks) >= 2
    slack = (high / low) ** 0.2
    assert all(low / slack <= tick <= high * slack for tick in ticks)


def test_what_is_drawn_can_be_said_in_json(known_run: Run) -> None:
    drawn = [*figures(known_run)]
    assert drawn
    for figure in drawn:
        cells = [list(row.cells) for row in figure.rows]
        assert cells
        assert json.loads(json.dumps(cells, allow_nan=False)) == cells


def test_every_table_has_as_many_columns_as_headings(known_run: Run) -> None:
    for figure in figures(known_run):
        assert figure.table.rows, figure.kind
        assert {len(row.cells) for row in figure.table.rows} == {len(figure.table.headings)}, figure.kind


def test_every_picture_says_what_it_shows_and_how_to_read_it(known_run: Run) -> None:
    for figure in figures(known_run):
        assert figure.finding.endswith("."), figure.kind
        assert figure.reading.endswith("."), figure.kind


@pytest.mark.parametrize(
    ("value", "shown"), [(None, None), (float("inf"), None), (1234.56, 1235), (0.000123456, 1.235e-4)]
)
def test_a_number_is_drawn_to_four_digits_and_what_is_none_is_not(value: float | None, shown: float | None) -> None:
    assert to_chart_number(value) == shown


def test_times_are_dots_with_bars_and_what_does_not_count_is_barred(known_run: Run) -> None:
    figure = times.make_chart(first_section(known_run))
    (eager,) = rows(figure, part="ranked", mode="torch:eager")
    assert eager["low"] < eager["ns"] < eager["high"]
    assert eager["ns"] == pytest.approx(30_000, rel=0.01)
    (wrong,) = rows(figure, part="barred")
    assert (wrong["mode"], wrong["said"]) == ("torch:script", "wrong: the output is off by 3e-3")
    assert [row["mode"] for row in rows(figure, part="clone")] == ["torch:eager (A/A)"]
    assert told(figure, "torch:script")["time per call"] == "4.32 µs, not counted"


def test_ties_have_a_letter_in_common_and_nothing_else_has_one(known_run: Run) -> None:
    figure = times.make_chart(first_section(known_run))
    assert {row["mode"]: row["ties"] for row in rows(figure) if row["ties"]} == {
        "tensorflow:eager": "a",
        "tensorflow:function": "a",
    }
    assert told(figure, "tensorflow:eager")["ties"] == "a"
    assert told(figure, "torch:trace")["ties"] == ""


def test_a_mode_between_two_that_are_told_apart_has_the_letters_of_both(known_run: Run) -> None:
    group, (first, between, last) = first_section(known_run).group, ("torch:trace", "torch:eager", "tensorflow:eager")
    ties = {first: (between,), between: (first, last), last: (between,)}
    standings = [dataclasses.replace(each, tied_with=ties.get(each.cell, ())) for each in group.standings]
    found = times.assign_letters(dataclasses.replace(group, standings=tuple(standings)))
    assert found == {first: "a", between: "a b", last: "b"}


def test_there_is_a_letter_for_any_number_of_ties() -> None:
    assert [times.to_letter(number) for number in (0, 25, 26, 52)] == ["a", "z", "a2", "a3"]


def test_each_pair_of_modes_is_in_the_matrix_from_either_side(known_run: Run) -> None:
    figure = ratios.make_chart(first_section(known_run))
    assert figure is not None
    assert len(figure.rows) == 4 * 3
    (slower,) = rows(figure, mode="torch:eager", other="torch:trace")
    (faster,) = rows(figure, mode="torch:trace", other="torch:eager")
    assert (slower["sign"], faster["sign"]) == ("+", "−")
    assert float(slower["shown"]) == pytest.approx(1.5, rel=0.01)
    (tied,) = rows(figure, mode="tensorflow:eager", other="tensorflow:function")
    assert tied["sign"] == "="


def test_lines_of_cost_cross_at_the_break_even_and_have_bands(known_run: Run) -> None:
    figure = next(cost.make_charts(first_section(known_run)))
    totals = {(row["mode"], row["calls"]): row for row in rows(figure, part="line")}
    assert totals["torch:trace", 1000]["ns"] > totals["torch:eager", 1000]["ns"]
    assert totals["torch:trace", 100_000]["ns"] < totals["torch:eager", 100_000]["ns"]
    assert all(row["low"] <= row["ns"] <= row["high"] for row in totals.values())
    (paid,) = rows(figure, part="paid", mode="torch:trace")
    assert paid["calls"] == pytest.approx(10_000, rel=0.05)
    assert paid["low"] < paid["calls"] < paid["high"]


def test_a_mode_that_never_pays_has_no_mark_and_the_table_says_so(known_run: Run) -> None:
    figure = next(cost.make_charts(first_section(known_run)))
    assert rows(figure, part="paid", mode="tensorflow:function") == []
    assert "never against torch:trace" in told(figure, "tensorflow:function")["breaks even after"]


def test_the_bars_of_the_ledger_are_as_long_as_its_phases(known_run: Run) -> None:
    figure = phases.make_chart(first_section(known_run))
    assert figure is not None
    (first,) = rows(figure, mode="torch:trace", part="first calls")
    assert first["ns"] == 101 * 10**6
    assert told(figure, "torch:trace")["first call"] == "101 ms"
    assert set().union(*phases.PARTS.values()) == set(PHASES)


def test_memory_goes_from_phase_to_phase_in_mebibytes(known_run: Run) -> None:
    figure = memory.make_chart(first_section(known_run))
    assert figure is not None
    (trace,) = rows(figure, mode="torch:eager", phase="trace")
    assert (trace["end"], trace["peak"]) == (190, 250)
    assert told(figure, "torch:eager")["end of trace"] == "190 MiB"
    assert told(figure, "torch:eager")["step peak"].startswith("50.0 MiB")


def test_without_counters_of_memory_there_is_no_such_picture(
    make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]], known_run: Run
) -> None:
    cells = [make_cell("torch:eager"), make_cell("torch:trace")]
    records = make_records([(cell, 1000) for cell in cells])
    manifest = known_run.manifest.model_copy(update={"cells": tuple(cells)})
    assert memory.make_chart(first_section(a_run(manifest, records))) is None


def test_a_warm_up_begins_at_the_first_call_and_is_marked_where_it_is_steady(known_run: Run) -> None:
    figure = warmup.make_chart(first_section(known_run))
    assert figure is not None
    (first,) = rows(figure, mode="torch:trace", block=1, calls=1)
    assert first["ns"] == 101 * 10**6
    (steady,) = rows(figure, part="steady", mode="torch:trace", block=1)
    assert steady["calls"] == 3
    assert len({row["block"] for row in rows(figure, mode="torch:trace")}) == warmup.MAX_SHOWN_PROCESSES
    assert {row["block"] for row in rows(figure, part="first", mode="torch:trace")} == {1}


def test_samples_are_drawn_over_the_floor_of_their_mode(known_run: Run) -> None:
    figure = samples.make_chart(first_section(known_run), 9)
    assert figure is not None
    boxes = rows(figure, mode="torch:eager")
    assert len(boxes) == 12
    assert all(box["low"] == pytest.approx(1, abs=0.02) for box in boxes)
    assert all(box["high"] / box["low"] == pytest.approx(1.01, abs=0.001) for box in boxes)


def test_the_table_of_samples_has_each_process_under_its_block(known_run: Run) -> None:
    figure = samples.make_chart(first_section(known_run), 1)
    assert figure is not None
    (said,) = (row.cells for row in figure.table.rows if row.cells[0] == "torch:eager")
    assert len(said) == 1 + 12
    assert re.fullmatch(r"[\d.]+ µs, [\d.]+ µs, [\d.]+ µs CANARY", str(said[1]))


def test_a_disturbed_process_is_shown_as_such(known_run: Run) -> None:
    quiet, disturbed = samples.make_chart(first_section(known_run), 9), samples.make_chart(first_section(known_run), 1)
    assert quiet is not None
    assert disturbed is not None
    assert {row["state"] for row in rows(quiet)} == {"quiet"}
    assert {(row["state"], row["flags"]) for row in rows(disturbed)} == {("disturbed", Flag.CANARY)}


def test_the_roof_is_drawn_over_all_modes_and_each_has_its_share_of_it(known_run: Run) -> None:
    figure = roofline.make_chart(first_section(known_run))
    assert figure is not None
    roof = rows(figure, part="roof")
    assert [row["rate"] for row in roof[-2:]] == [100e9, 100e9]
    (trace,) = rows(figure, part="mode", mode="torch:trace")
    assert trace["intensity"] == 10
    assert trace["rate"] == pytest.approx(50e9, rel=0.01)
    assert told(figure, "torch:trace")["of the roof"] == "50 %"


def test_the_schedule_has_every_job_that_was_started_and_says_which_failed(known_run: Run) -> None:
    figure = schedule.make_chart(known_run.processes, 9)
    assert figure is not None
    assert len(figure.rows) == len(known_run.records) - 1
    cells = {record.spec.cell.id for record in known_run.records}
    assert len(figure.table.rows) == len(cells)
    said = [cell for row in figure.table.rows for cell in row.cells[1:] if cell]
    assert len(said) == len(known_run.records)
    assert "not started unsupported" in said
    (failed,) = rows(figure, state="not measured")
    assert (failed["said"], failed["sign"]) == ("wrong", "×")
    assert min(row["start"] for row in rows(figure, block=3)) == 0


def test_a_job_whose_start_is_no_date_is_in_the_table_alone(known_run: Run) -> None:
    job = known_run.records[0]
    assert job.outside is not None
    odd = job.model_copy(update={"outside": job.outside.model_copy(update={"started": "<b>yesterday</b>"})})
    figure = schedule.make_chart(derive_processes([odd, *known_run.records[1:20]]), 9)
    assert figure is not None
    said = [cell for row in figure.table.rows for cell in row.cells[1:] if cell]
    assert len(said) == len(figure.rows) + 1
    assert "2.00 s" in said


def test_a_group_without_a_measured_cell_has_the_picture_of_its_times_alone(known_run: Run) -> None:
    refused = [record for record in known_run.records if record.outcome == "unsupported"]
    manifest = known_run.manifest.model_copy(update={"cells": (refused[0].spec.cell,)})
    section = first_section(a_run(manifest, refused))
    assert len(times.make_chart(section).table.rows) == 1
    assert [*cost.make_charts(section)] == []
    assert {each.make_chart(section) for each in (ratios, phases, memory, warmup, roofline)} == {None}
    assert samples.make_chart(section, 9) is None
    assert schedule.make_chart(derive_processes(refused), 9) is None
