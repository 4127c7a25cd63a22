"""The chart by node draws what its table says, and a page has it for each type of machine."""

import re
from collections.abc import Callable

import pytest
import vl_convert

from orchestrator.analysis.run import Run
from orchestrator.records.store import Store
from orchestrator.report.nodes.rows import HEADINGS
from orchestrator.report.page import vega
from orchestrator.report.page.charts import Chart, nodes
from orchestrator.report.page.other_types import list_other_types
from orchestrator.report.page.page import render_page
from schemas.job import Cell
from schemas.record import Host, JobRecord, Placement
from tests.orchestrator.report.conftest import first_section
from tests.orchestrator.report.page.charts.test_charts import filled, rows

NAMES = ("n1", "n2", "n3")
ANSWERS = ["on these nodes", "on nodes of this type", "next node"]
MakeRun = Callable[..., Store]


def place_blocks(records: list[JobRecord], first: int = 0) -> list[JobRecord]:
    """Return the records with their blocks dealt out to three nodes, and the numbers of the blocks moved."""
    return [
        record.model_copy(
            update={
                "spec": record.spec.model_copy(update={"block": record.spec.block + first}),
                "placement": Placement(node=NAMES[record.spec.block % 3] + ("b" if first else ""), share=1, attempt=1),
            }
        )
        for record in records
    ]


@pytest.fixture
def records(make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]]) -> list[JobRecord]:
    speeds = {"numpy:eager": 1000.0, "torch:eager": 1100.0, "torch:trace": 900.0}
    return place_blocks(make_records([(make_cell(label), speed) for label, speed in speeds.items()]))


def draw(records: list[JobRecord], make_run: MakeRun) -> Chart:
    found = nodes.make_chart(first_section(Run.from_store(make_run("nodes", records))))
    assert found is not None
    return found


def test_each_mode_has_a_dot_on_each_node_and_for_each_answer(records: list[JobRecord], make_run: MakeRun) -> None:
    chart = draw(records, make_run)
    assert chart.modes == ("torch:eager", "torch:trace")
    for mode, ratio in (("torch:eager", 1.1), ("torch:trace", 0.9)):
        drawn = rows(chart, mode=mode)
        assert [row["node"] for row in drawn][-3:] == ANSWERS
        assert {row["node"] for row in drawn[:-3]} == set(NAMES)
        assert all(row["ratio"] == pytest.approx(ratio, rel=0.02) for row in drawn)
        assert all(row["low"] <= row["ratio"] <= row["high"] for row in drawn if row["low"] is not None)


def test_the_table_has_every_pair_with_the_rows_of_the_terminal(records: list[JobRecord], make_run: MakeRun) -> None:
    table = draw(records, make_run).table
    assert table.headings == ("mode", "over", *HEADINGS)
    named = {(row.cells[0], row.cells[2]) for row in table.rows}
    assert {("torch:trace", name) for name in (*NAMES, *ANSWERS, "spread between nodes")} <= named
    assert {row.cells[5] for row in table.rows if row.cells[2] == "on these nodes"} == {"SLOWER", "FASTER"}


def test_a_filter_finds_the_rows_of_a_framework(records: list[JobRecord], make_run: MakeRun) -> None:
    chart = draw(records, make_run)
    assert {row.frameworks for row in chart.rows} == {("torch",)}
    over_numpy = [row for row in chart.table.rows if row.cells[1] == "numpy:eager"]
    assert {row.frameworks for row in over_numpy} == {("torch", "numpy")}


def test_vega_draws_it(records: list[JobRecord], make_run: MakeRun) -> None:
    chart = draw(records, make_run)
    picture, order = vl_convert.vegalite_to_svg(filled(chart)), [row["node"] for row in rows(chart, mode="torch:trace")]
    assert "ratio to the baseline" in picture
    pattern = r'translate\(-?[\d.]+,([\d.]+)\)"[^>]*>{}<'
    heights = [float(height) for name in order for height in re.findall(pattern.format(name), picture)]
    assert len(heights) == len(order)
    assert heights == sorted(heights)
    assert "nodes" in vega.SPECS


def test_a_run_on_one_machine_has_no_such_chart(known_run: Run) -> None:
    assert nodes.make_chart(first_section(known_run)) is None
    assert "Other types of machine" not in render_page(known_run)


def test_a_page_has_each_type_of_machine_and_none_is_skipped(
    records: list[JobRecord], make_run: MakeRun, host: Host
) -> None:
    other = [
        record.model_copy(update={"host": host.model_copy(update={"cpu": "another CPU"})})
        for record in place_blocks(records, first=12)
    ]
    page = render_page(Run.from_store(make_run("types", [*records, *other])))
    assert page.count('<h2 id="types-title">Other types of machine</h2>') == 1
    assert "another CPU" in page
    assert "n1b" in page
    assert "Skipped" not in page


def test_of_very_many_computations_another_type_has_its_times_alone(
    records: list[JobRecord], make_run: MakeRun, host: Host
) -> None:
    other = [
        record.model_copy(update={"host": host.model_copy(update={"cpu": "another CPU"})})
        for record in place_blocks(records, first=12)
    ]
    run = Run.from_store(make_run("types", [*records, *other]))
    whole, brief = (list_other_types(run, brief=short) for short in (False, True))
    assert [title.partition(":")[0] for title in whole[0].tables] == [
        "Time per call",
        "Every mode against every other",
        "By node",
    ]
    assert brief[0].tables.keys() == {title for title in whole[0].tables if title.startswith("Time per call")}
    assert brief[0].answer == whole[0].answer
