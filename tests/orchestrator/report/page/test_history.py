"""The page of a history: whole, escaped, the same each time, and drawn by a real browser without a complaint."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from orchestrator.comparison.history import CellHistory, History
from orchestrator.report.page.history import render_history_page
from tests.orchestrator.report.conftest import HOSTILE
from tests.orchestrator.report.history.conftest import a_cell_history, a_history
from tests.orchestrator.report.page.test_page import Read
from tests.orchestrator.report.page.test_page_in_a_browser import CHROMIUM, FLAGS, Visit


@pytest.fixture
def stepped() -> History:
    return a_history(a_cell_history("torch:eager", 1.08), a_cell_history("jax:jit"), a_cell_history("torch:script"))


def test_a_page_is_whole_and_has_a_chart_and_a_table_for_each_cell(stepped: History) -> None:
    read = Read(render_history_page(stepped))
    assert len(read.all("figure")) == len(read.all("table")) == 3
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len({*ids}) == len(ids)


def test_the_same_runs_give_the_same_page(stepped: History) -> None:
    assert render_history_page(stepped) == render_history_page(stepped)


def test_a_page_has_only_the_specification_of_its_chart(stepped: History) -> None:
    (found,) = re.findall(
        r'<script type="application/json" id="specifications">(.*?)</script>', render_history_page(stepped)
    )
    assert list(json.loads(found)) == ["history"]


def test_text_of_records_is_data(make_hostile: Callable[[], History]) -> None:
    page = render_history_page(make_hostile())
    assert "<script>alert" not in page
    assert "\x1b" not in page
    Read(page)


@pytest.fixture
def make_hostile() -> Callable[[], History]:
    def make() -> History:
        cell: CellHistory = a_cell_history(step=1.08, changed=(HOSTILE,))
        points = tuple(replace(point, run=replace(point.run, name=HOSTILE)) for point in cell.points)
        return a_history(replace(cell, title=HOSTILE, points=points), skipped=(HOSTILE,))

    return make


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.mark.long
def test_a_browser_draws_every_chart_fetches_nothing_and_complains_of_nothing(
    browser: Browser, stepped: History, tmp_path: Path
) -> None:
    page = tmp_path / "history.html"
    page.write_text(render_history_page(stepped))
    visit = Visit(browser.new_page(), page)
    visit.drawn()
    for figure in visit.tab.locator("figure.history").all():
        assert figure.locator(".drawing svg path").count() > 12
    assert (visit.requests, visit.complaints) == ([page.as_uri()], [])
    assert visit.serious() == []


def test_the_filter_leaves_the_cells_of_the_ticked_frameworks(
    browser: Browser, stepped: History, tmp_path: Path
) -> None:
    page = tmp_path / "history.html"
    page.write_text(render_history_page(stepped))
    visit = Visit(browser.new_page(), page)
    visit.tab.get_by_label("torch", exact=True).uncheck()
    assert visit.tab.locator("section.group:visible").count() == 1
