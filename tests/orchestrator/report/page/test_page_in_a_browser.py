"""A real run's page, opened from disk in a real browser: drawn, filtered, printed, and fit for everybody."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect, sync_playwright
from playwright.sync_api import Page as Tab

from orchestrator.analysis.run import Run
from schemas.job import Cell
from tests.orchestrator.conftest import a_run
from tests.orchestrator.quick import PROGRAM, QUICK
from tests.orchestrator.report.page.test_page import many
from tests.orchestrator.report.page.test_page import of as page_of

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
KINDS = ("times", "ratios", "cost", "phases", "memory", "warmup", "samples", "roofline", "schedule")
MODES = "numpy,synthetic:spin,synthetic:compiled,synthetic:wrong"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a real sweep with two workloads, tasks and frameworks, and one wrong mode."""
    folder = tmp_path_factory.mktemp("browsed")
    (folder / "quick.toml").write_text(QUICK)
    asked = ["--frameworks", MODES, "--workloads", "synthetic,mlp", "--tasks", "forward,backward", "--blocks", "1"]
    subprocess.run([*PROGRAM, "sweep", "quick.toml", *asked], cwd=folder, check=False, capture_output=True, timeout=200)
    (found,) = folder.glob("runs/*/report.html")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


# A busy machine draws a page of many charts slowly.
PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)


class Visit:
    """An open page, with all requests and complaints of its browser."""

    def __init__(self, tab: Tab, page: Path) -> None:
        self.tab = tab
        self.requests, self.complaints = list[str](), list[str]()
        self.tab.set_default_timeout(PATIENCE_MS)
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.goto(page.as_uri())

    def drawn(self) -> None:
        """Scroll past every chart, and wait until each is drawn."""
        for picture in self.tab.locator("figure.picture:visible").all():
            picture.scroll_into_view_if_needed()
            picture.locator(".drawing svg").wait_for()

    def serious(self) -> list[tuple[str, str]]:
        """Open all tables, and return the serious findings of axe, each with the first element concerned."""
        self.tab.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        found = Axe().run(self.tab).response["violations"]
        return [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]


@pytest.fixture(params=["light", "dark"])
def visit(browser: Browser, page: Path, request: pytest.FixtureRequest) -> Iterator[Visit]:
    visiting = Visit(browser.new_page(color_scheme=request.param), page)
    yield visiting
    visiting.tab.close()


@pytest.fixture
def light(browser: Browser, page: Path) -> Iterator[Visit]:
    visiting = Visit(browser.new_page(), page)
    yield visiting
    visiting.tab.close()


def test_every_picture_is_drawn_nothing_is_fetched_and_nothing_complained_of(visit: Visit, page: Path) -> None:
    visit.drawn()
    for kind in KINDS:
        marks = visit.tab.locator(f"figure.{kind} .drawing svg path").count()
        assert marks > 5, kind
    assert visit.requests == [page.as_uri()]
    assert visit.complaints == []


def test_every_picture_has_its_finding_as_its_name(light: Visit) -> None:
    light.drawn()
    names = [drawing.get_attribute("aria-label") or "" for drawing in light.tab.locator(".drawing").all()]
    assert len({*names}) == len(names)
    for name in names:
        assert light.tab.get_by_role("img", name=name, exact=True).count() == 1


def test_an_accessibility_checker_finds_nothing_serious(visit: Visit) -> None:
    visit.drawn()
    assert visit.serious() == []


def test_the_filter_leaves_what_is_ticked_in_tables_and_in_pictures(light: Visit) -> None:
    light.drawn()
    times = light.tab.locator("figure.times").first
    expect(times.locator("svg")).to_contain_text("synthetic:spin")
    light.tab.get_by_label("synthetic", exact=True).last.uncheck()
    expect(times.locator("svg")).not_to_contain_text("synthetic:spin")
    expect(times.locator("svg")).to_contain_text("numpy:eager")
    expect(times.get_by_role("rowheader", name="synthetic:spin")).to_be_hidden()
    expect(times.get_by_role("rowheader", name="numpy:eager", exact=True)).to_be_visible()
    ratios = light.tab.locator("figure.ratios .drawing").first
    ratios.scroll_into_view_if_needed()
    expect(ratios).to_contain_text("Nothing to draw for this selection")
    light.tab.get_by_label("synthetic", exact=True).last.check()
    expect(times.locator("svg")).to_contain_text("synthetic:spin")
    assert light.complaints == []


def test_the_filter_hides_groups_and_says_how_many_are_left(light: Visit) -> None:
    groups = light.tab.locator("section.group:visible")
    assert groups.count() == 4
    light.tab.get_by_label("mlp", exact=True).uncheck()
    assert light.tab.get_by_role("status").inner_text() == "2 of 4 groups are shown."
    light.tab.get_by_label("backward", exact=True).uncheck()
    assert light.tab.get_by_role("status").inner_text() == "1 of 4 groups are shown."
    assert groups.count() == 1
    assert re.search(r"synthetic forward", groups.first.get_by_role("heading").first.inner_text())
    light.tab.get_by_label("mlp", exact=True).check()
    assert [each.get_by_role("heading").first.inner_text().split(" (")[0].split()[:2] for each in groups.all()] == [
        ["synthetic", "forward"],
        ["mlp", "forward"],
    ]
    light.tab.get_by_label("backward", exact=True).check()
    assert groups.count() == 4
    assert light.complaints == []


def test_the_filter_and_the_tables_are_worked_by_keyboard(light: Visit) -> None:
    light.tab.keyboard.press("Tab")
    assert light.tab.evaluate("document.activeElement.className") == "skip"
    light.tab.keyboard.press("Tab")
    light.tab.keyboard.press("Space")
    assert light.tab.locator("section.group:visible").count() == 2
    light.tab.keyboard.press("Space")
    table = light.tab.locator("figure.cost summary").first
    table.focus()
    light.tab.keyboard.press("Enter")
    assert light.tab.locator("figure.cost table").first.is_visible()


def test_the_filter_leaves_what_is_ticked_in_the_matrix(light: Visit) -> None:
    matrix = light.tab.locator("#overview")
    assert matrix.locator("tbody tr:visible").count() == 4
    expect(matrix.get_by_role("columnheader", name="synthetic:spin")).to_be_visible()
    light.tab.get_by_label("synthetic", exact=True).last.uncheck()
    expect(matrix.get_by_role("columnheader", name="synthetic:spin")).to_be_hidden()
    expect(matrix.get_by_role("columnheader", name="numpy:eager")).to_be_visible()
    light.tab.get_by_label("backward", exact=True).uncheck()
    assert matrix.locator("tbody tr:visible").count() == 2
    assert light.tab.locator("#contents li.group:visible").count() == 2


def test_each_chart_is_saved_as_svg_and_as_png_without_a_network(visit: Visit, page: Path) -> None:
    for place, kind in enumerate(KINDS):
        # After ten files of one page, Chromium asks its user, who is not there.
        if place % 4 == 0:
            visit.tab.reload()
            visit.drawn()
        figure = visit.tab.locator(f"figure.{kind}").first
        for name, beginning in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
            with visit.tab.expect_download() as waiting:
                figure.get_by_role("button", name=f"Save as {name}").click()
            saved = waiting.value.path().read_bytes()
            assert saved.startswith(beginning), kind
            assert b"var(--" not in saved, kind
            assert len(saved) > 2000, kind
            assert re.fullmatch(rf"[a-z0-9-]+\.{name.lower()}", waiting.value.suggested_filename)
    assert {url for url in visit.requests if not url.startswith(("data:", "blob:"))} == {page.as_uri()}
    assert visit.complaints == []


def test_a_saved_chart_has_the_colours_and_the_rows_of_the_page(light: Visit) -> None:
    figure = light.tab.locator("figure.times").first
    light.tab.get_by_label("synthetic", exact=True).last.uncheck()
    figure.locator(".drawing svg").wait_for()
    with light.tab.expect_download() as waiting:
        figure.get_by_role("button", name="Save as SVG").click()
    saved = waiting.value.path().read_text()
    assert "#ffffff" in saved
    assert "#0072b2" in saved
    assert "numpy:eager" in saved
    assert "synthetic:spin" not in saved


def test_charts_on_request_are_drawn_when_they_are_asked_for(
    browser: Browser, known_run: Run, make_cell: Callable[..., Cell], tmp_path: Path
) -> None:
    records = list(many(make_cell, known_run, 20))
    cells = tuple({record.spec.cell.id: record.spec.cell for record in records}.values())
    path = tmp_path / "suite.html"
    path.write_text(page_of(a_run(known_run.manifest.model_copy(update={"cells": cells}), records)), encoding="utf-8")
    visiting = Visit(browser.new_page(), path)
    visiting.drawn()
    more = visiting.tab.locator("details.more").first
    assert more.locator("figure.picture:visible").count() == 0
    more.locator("summary").first.click()
    visiting.drawn()
    assert more.locator("figure.picture").count() > 5
    expect(more.locator(".drawing svg")).to_have_count(more.locator("figure.picture").count())
    assert visiting.complaints == []
    visiting.tab.pdf()
    expect(visiting.tab.locator(".drawing svg")).to_have_count(visiting.tab.locator("figure.picture").count())
    visiting.tab.close()


def test_a_wrong_cell_is_visible_with_its_reason(light: Visit) -> None:
    row = light.tab.locator("#refused tr", has_text="synthetic:wrong").first
    assert row.is_visible()
    assert "wrong" in row.inner_text()
    assert row.locator("s").count() == 1


def test_hostile_text_is_shown_and_does_nothing(browser: Browser, hostile_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(page_of(hostile_run), encoding="utf-8")
    visiting = Visit(browser.new_page(), path)
    visiting.tab.on("dialog", lambda dialog: visiting.complaints.append(dialog.message))
    visiting.drawn()
    picture = visiting.tab.locator("figure.times").last
    picture.locator("svg .mark-symbol path").hover(force=True)
    for where in (picture.locator("svg"), visiting.tab.locator("#vg-tooltip-element")):
        expect(where).to_contain_text("<script>alert(1)")
    assert visiting.tab.locator("img").count() == 0
    assert visiting.requests == [path.as_uri()]
    assert visiting.complaints == []
    visiting.tab.close()


def test_a_narrow_screen_scrolls_one_way_only_and_what_scrolls_in_it_can_be_reached(
    browser: Browser, page: Path
) -> None:
    visiting = Visit(browser.new_page(viewport={"width": 320, "height": 800}), page)
    visiting.drawn()
    assert visiting.tab.locator("figure.ratios .drawing[tabindex='0']").count() > 0
    assert visiting.serious() == []
    assert visiting.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visiting.tab.close()


def test_in_print_every_picture_is_there_on_white_and_the_filter_is_not(browser: Browser, page: Path) -> None:
    visiting = Visit(browser.new_page(color_scheme="dark"), page)
    visiting.tab.pdf()
    pictures = visiting.tab.locator("figure.picture")
    expect(visiting.tab.locator(".drawing svg")).to_have_count(pictures.count())
    visiting.tab.emulate_media(media="print")
    assert not visiting.tab.locator("#filter").is_visible()
    colour = visiting.tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert colour == "rgb(255, 255, 255)"
    visiting.tab.close()


def test_without_scripts_the_answer_and_every_table_are_there(browser: Browser, page: Path) -> None:
    visiting = Visit(browser.new_page(java_script_enabled=False), page)
    assert visiting.tab.locator("#answer .lead").count() > 0
    assert visiting.tab.locator("#overview tbody tr").count() == 4
    assert visiting.tab.locator("button").count() == 0
    assert visiting.tab.locator("figure table").count() == visiting.tab.locator("figure").count()
    assert not visiting.tab.locator("#filter").is_visible()
    visiting.tab.close()
