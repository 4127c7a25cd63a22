"""A real sweep, watched from its first jobs to its end in a real browser, through the end of its server as well."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from orchestrator.records.store import Store
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.quick import PROGRAM
from tests.orchestrator.report.page.test_page_in_a_browser import CHROMIUM, FLAGS
from tests.orchestrator.report.server.serving import SWEEP, Served, serve

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    """Return a starter of sweeps into the folder `runs`; what still runs at the end is ended."""
    started = list[subprocess.Popen[bytes]]()

    def start(blocks: int) -> subprocess.Popen[bytes]:
        (tmp_path / "sweep.toml").write_text(SWEEP.format(blocks=blocks))
        (tmp_path / "runs").mkdir()
        command = [*PROGRAM, "sweep", "sweep.toml", "--no-report", "--wait"]
        nowhere = subprocess.DEVNULL
        started.append(subprocess.Popen(command, cwd=tmp_path, stdout=nowhere, stderr=nowhere))
        while not list(tmp_path.glob("runs/*/jobs/*.json")):
            assert started[-1].poll() is None
            time.sleep(0.1)
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait(30)


def open_page(
    browser: Browser, served: Served, scheme: Literal["light", "dark"] = "light", width: int = 1200
) -> tuple[Page, list[str], list[str]]:
    """Open the list of runs; return it with the addresses that it asks and what the browser complains of."""
    tab = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    asked, complaints = list[str](), list[str]()
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(served.printed)
    return tab, asked, complaints


def find_serious(tab: Page) -> list[str]:
    """Return the serious findings of axe."""
    return [each["id"] for each in Axe().run(tab).response["violations"] if each["impact"] in ("serious", "critical")]


@pytest.mark.long
def test_a_sweep_is_watched_in_two_tabs_from_its_start_to_its_end(
    browser: Browser, sweep: Callable[[int], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    running = sweep(6)
    with serve(tmp_path / "runs", tmp_path / "home") as served:
        tabs = []
        for _ in range(2):
            tab, asked, complaints = open_page(browser, served)
            expect(tab).to_have_url(f"{served.address}/")
            tab.get_by_role("row").nth(1).get_by_role("link").first.click()
            expect(tab.locator("#progress")).to_contain_text("running")
            tabs.append((tab, asked, complaints))
        before = tabs[0][0].locator("#jobs").inner_text()
        assert running.wait(120) == 0
        # Three cells in six blocks; a job that noise accused has another record, of its second process.
        ended = len(list(tmp_path.glob("runs/*/jobs/*.json")))
        assert ended >= 18
        for tab, asked, complaints in tabs:
            expect(tab.locator("#progress")).to_contain_text(
                f"finished: {ended} jobs ended, 6 of at most 6 blocks", timeout=20_000
            )
            expect(tab.locator("#results")).to_contain_text("synthetic:compiled is the fastest")
            expect(tab.locator("#results td", has_text="FASTER")).to_have_count(1)
            assert tab.locator("#jobs").inner_text() != before
            assert {url.split("/")[2] for url in asked} == {f"127.0.0.1:{served.port}"}
            assert complaints == []
            tab.close()


@pytest.mark.long
def test_a_page_finds_its_server_again(
    browser: Browser, sweep: Callable[[int], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    running = sweep(12)
    with serve(tmp_path / "runs", tmp_path / "home") as served:
        tab, *_ = open_page(browser, served)
        tab.get_by_role("row").nth(1).get_by_role("link").first.click()
        expect(tab.locator("#progress")).to_contain_text("running")
        served.process.kill()
        served.process.wait(10)
        expect(tab.locator("#connection")).to_contain_text("No connection to the server", timeout=20_000)
        with serve(tmp_path / "runs", tmp_path / "home", served.port):
            expect(tab.locator("#connection")).to_have_text("", timeout=30_000)
            running.terminate()
            running.wait(60)
            expect(tab.locator("#progress")).to_contain_text("unfinished", timeout=20_000)
        tab.close()


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_every_page_on_a_narrow_screen_too(
    browser: Browser,
    place: Store,
    make_cell: Callable[..., Cell],
    make_records: Callable[..., list[JobRecord]],
    make_run: Callable[..., Store],
    served: Served,
    scheme: Literal["light", "dark"],
) -> None:
    cells = [(make_cell("torch:eager"), 30_000.0), (make_cell("torch:script"), 20_000.0)]
    other = make_run("other", make_records(cells, seed=2), 600)
    job = place.list_record_files()[0].stem
    tab, asked, complaints = open_page(browser, served, scheme, width=390)
    paths = ["/", f"/?a={place.name}", f"/runs/{place.name}", f"/runs/{place.name}/jobs/{job}", "/runs/none"]
    for path in [*paths, f"/compare?a={place.name}&b={other.name}"]:
        tab.goto(served.address + path)
        assert find_serious(tab) == [], path
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    assert {url.split("/")[2] for url in asked} == {f"127.0.0.1:{served.port}"}
    assert [text for text in complaints if "404" not in text] == []
    tab.close()


@pytest.mark.long
def test_the_page_of_a_hostile_run_runs_nothing(
    browser: Browser, place: Store, make_record: Callable[..., JobRecord], served: Served
) -> None:
    hostile = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    failed = make_record(block=13, outcome="raised", reason=hostile)
    place.write_record(failed)
    place.log_path(failed.spec).write_text(hostile)
    place.write_manifest(place.read_manifest().model_copy(update={"stopped": hostile}))
    tab, *_ = open_page(browser, served)
    for path in (f"/runs/{place.name}", f"/runs/{place.name}/jobs/{place.list_record_files()[-1].stem}"):
        tab.goto(served.address + path)
        assert tab.title() != "broken"
        assert tab.locator("img").count() == 0
        assert "<script>document.title" in tab.locator("main").inner_text()
    tab.close()


@pytest.mark.measures
@pytest.mark.long
def test_two_viewers_cost_a_running_sweep_a_fiftieth_of_a_core_at_most(
    sweep: Callable[[int], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    running = sweep(32)
    with serve(tmp_path / "runs", tmp_path / "home") as served:
        (run,) = (tmp_path / "runs").iterdir()
        served.ask(f"/runs/{run.name}")  # what it imports and reads once is no cost of the watching
        viewers = [threading.Thread(target=watch, args=(served, run.name)) for _ in range(2)]
        for viewer in viewers:
            viewer.start()
        time.sleep(2.0)
        server, began_s = psutil.Process(served.process.pid), time.monotonic()
        before = sum(server.cpu_times()[:2])
        time.sleep(20.0)
        assert running.poll() is None, "the sweep ended before it was watched for long enough"
        share = (sum(server.cpu_times()[:2]) - before) / (time.monotonic() - began_s)
        running.terminate()
        running.wait(60)
        for viewer in viewers:
            viewer.join(30)
    assert share <= 0.02


def watch(served: Served, name: str) -> None:
    """Follow a run until it has ended."""
    served.ask(f"/runs/{name}/events")
