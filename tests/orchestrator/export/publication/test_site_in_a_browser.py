"""The site in a real browser: fit for everybody, light and dark, wide and narrow, with nothing fetched."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from orchestrator.export.publication.admit import decide_admission
from orchestrator.export.publication.site import summarise_publication, write_site
from tests.orchestrator.export.publication.conftest import NOW
from tests.orchestrator.report.page.test_page_in_a_browser import CHROMIUM, FLAGS, Visit

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def pages(original: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The index, the page of a computation, and the page of a run."""
    to = tmp_path_factory.mktemp("browsed") / "site"
    admitted = decide_admission(original, NOW).admitted
    assert admitted is not None
    write_site(to, [summarise_publication(original, admitted)], None)
    return sorted(to.rglob("*.html"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


def is_wider_than_its_window(tab: Page) -> bool:
    return bool(tab.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize("width", [1200, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_readable_and_fetches_nothing(
    browser: Browser, pages: list[Path], width: int, scheme: str
) -> None:
    assert len(pages) == 3
    for page in pages:
        dark = scheme == "dark"
        tab = browser.new_page(color_scheme="dark" if dark else "light", viewport={"width": width, "height": 800})
        visit = Visit(tab, page)
        assert not is_wider_than_its_window(tab), page
        assert visit.requests == [page.as_uri()]
        assert visit.complaints == []
        assert visit.serious() == [], page
        tab.close()


def test_a_reader_without_scripts_reaches_the_report_and_comes_back(browser: Browser, pages: list[Path]) -> None:
    tab = browser.new_page(java_script_enabled=False)
    tab.goto(next(page for page in pages if page.name == "index.html").as_uri())
    tab.get_by_role("link", name="mlp backward").click()
    assert tab.get_by_role("heading", level=1).inner_text().startswith("mlp backward (depth=3)")
    tab.get_by_role("link", name="20250101-120000").first.click()
    assert tab.get_by_role("heading", name="The answer").is_visible()
    tab.go_back()
    tab.get_by_role("link", name="All computations").click()
    assert tab.get_by_role("heading", name="Published results").is_visible()
    tab.close()
