"""The pages, asked of a real server: what they show, and what a hostile run or address comes to."""

import asyncio
import html
import json
import os
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.types import Message

from orchestrator.records.store import Store, job_name
from orchestrator.report.server.app import make_app
from orchestrator.report.server.library import Library
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.report.server.serving import Served, serve

HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e"


@contextmanager
def hold_lock(place: Store) -> Iterator[None]:
    """Hold the lock of a run as a sweep does that writes to it."""
    with place.hold_lock(f"{os.getpid()} mark"):
        yield


@contextmanager
def follow(served: Served, place: Store) -> Iterator[Iterator[tuple[str, dict[str, str]]]]:
    """Follow the events of a run: each with its name and the parts of the page that it replaces."""
    request = urllib.request.Request(f"{served.address}/runs/{place.name}/events", headers=served.cookie)
    with urllib.request.urlopen(request, timeout=30) as stream:
        yield read_events(stream)


def read_events(stream: HTTPResponse) -> Iterator[tuple[str, dict[str, str]]]:
    name = ""
    for line in stream:
        kind, _, text = line.decode().rstrip("\n").partition(": ")
        if kind == "event":
            name = text
        elif kind == "data":
            yield name, json.loads(text)


def test_all_runs_are_listed_with_ways_to_each(served: Served, place: Store) -> None:
    text = served.ask("/").text
    assert f'<a href="/runs/{place.name}">{place.name}</a>' in text
    assert f'<a href="/?a={place.name}">compare</a>' in text
    assert "1 run, the newest first" in text
    assert "a CPU, 2 cores, 1 GiB (type " in text
    assert "No run has all these words." in served.ask("/?q=tensorflow").text


def test_a_folder_without_runs_says_so(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with serve(tmp_path / "runs", tmp_path / "home") as served:
        assert "There is no run in this folder yet." in served.ask("/").text


def test_a_run_is_shown_with_its_answer_its_table_its_machine_and_its_jobs(served: Served, place: Store) -> None:
    answer = served.ask(f"/runs/{place.name}")
    assert answer.status == 200
    text = html.unescape(answer.text)
    assert '<p class="lead">torch:script is the fastest, at 10.0 µs per call.' in text
    assert "<strong>finished</strong>: 24 jobs ended, 12 of at most 32 blocks. Ended: all blocks were run." in text
    assert "Measured on a CPU, 2 cores, 1 GiB (type " in text
    for cells in ("<td>30.0 µs</td><td>1</td>", "<td>FASTER</td>", "24 jobs, the newest first"):
        assert cells in text
    first = place.read_records()[0]
    assert f'<a href="/runs/{place.name}/jobs/{job_name(first.spec)}">' in text
    assert 'data-live=""' in text


def test_a_job_is_shown_with_its_whole_story(served: Served, place: Store) -> None:
    record = place.read_records()[0]
    place.log_path(record.spec).write_text("first line\nlast <line>\n")
    text = served.ask(f"/runs/{place.name}/jobs/{job_name(record.spec)}").text
    for heading in ("Ending", "Request", "Measured", "End of the log"):
        assert f"<h2>{heading}</h2>" in text
    assert "<dt>outcome</dt><dd>measured</dd>" in text
    assert "first line\nlast &lt;line&gt;" in text


def test_more_jobs_than_one_page_has_are_reached_page_by_page(
    tmp_path: Path, make_record: Callable[..., JobRecord], make_run: Callable[..., Store]
) -> None:
    place = make_run("long", [make_record(block=block) for block in range(1, 206)])
    with serve(place.folder.parent, tmp_path / "home") as served:
        first = served.ask(f"/runs/{place.name}").text
        assert "205 jobs, the newest first: 1 to 200" in first
        assert f'<a href="/runs/{place.name}/jobs?newer=200">Older jobs</a>' in first
        second = served.ask(f"/runs/{place.name}/jobs?newer=200").text
        assert "205 jobs, the newest first: 201 to 205" in second
        assert f'<a href="/runs/{place.name}/jobs?newer=0">Newer jobs</a>' in second
        assert "There is no job so old." in served.ask(f"/runs/{place.name}/jobs?newer=999999999").text
        assert "1 to 200" in served.ask(f"/runs/{place.name}/jobs?newer=-1x").text


def test_nothing_of_a_run_is_read_by_the_thread_that_answers(place: Store, make_run: Callable[..., Store]) -> None:
    other = make_run("other", place.read_records(), 600)
    app, root = make_app(Library(place.folder.parent), "known"), str(place.folder.parent)
    job = job_name(place.read_records()[0].spec)
    asked = [f"/runs/{place.name}", f"/runs/{place.name}/jobs", f"/runs/{place.name}/jobs/{job}", "/"]
    asked += [f"/compare?a={place.name}&b={other.name}", "/history", f"/runs/{place.name}/report"]
    read = list[str]()

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if is_on and threading.get_ident() == own and event in ("open", "os.scandir", "os.listdir"):
            read.extend(str(each) for each in arguments[:1] if str(each).startswith(root))

    own, is_on = threading.get_ident(), False
    sys.addaudithook(listen)
    with hold_lock(place):
        is_on = True
        statuses = [asyncio.run(ask_app(app, path)) for path in asked]
        is_on = False
    assert statuses == [200] * len(asked)
    assert read == []


async def ask_app(app: Starlette, path: str) -> int:
    """Ask an application without a server, and return the status of its answer."""
    sent = list[Message]()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    plain, _, query = path.partition("?")
    headers = [(b"host", b"localhost"), (b"cookie", b"plumbline_token_1=known")]
    scope = {"type": "http", "method": "GET", "path": plain, "query_string": query.encode(), "headers": headers}
    await app(scope | {"server": ("localhost", 1)}, receive, send)
    return int(sent[0]["status"])


def test_a_job_that_failed_has_its_reason_and_no_measurements(
    served: Served, place: Store, make_record: Callable[..., JobRecord]
) -> None:
    failed = make_record(block=13, outcome="killed")
    place.write_record(failed)
    text = served.ask(f"/runs/{place.name}/jobs/{job_name(failed.spec)}").text
    assert "<dd>killed: because it was killed</dd>" in text
    assert "<h2>Measured</h2>" not in text
    assert (
        '<td class=bad>killed</td><td class="words">because it was killed</td>'
        in served.ask(f"/runs/{place.name}").text
    )


def test_two_runs_are_compared_by_two_clicks(
    served: Served,
    place: Store,
    make_cell: Callable[..., Cell],
    make_records: Callable[..., list[JobRecord]],
    make_run: Callable[..., Store],
) -> None:
    cells = [(make_cell("torch:eager"), 30_000.0), (make_cell("torch:script"), 20_000.0)]
    other = make_run("other", make_records(cells, seed=2), 600)
    chosen = served.ask(f"/?a={place.name}").text
    assert f"Comparing {place.name}" in chosen
    assert f'<a href="/compare?a={place.name}&amp;b={other.name}">with this</a>' in chosen
    text = html.unescape(served.ask(f"/compare?a={place.name}&b={other.name}").text)
    assert f"A is {place.name}, started 2025-01-01T12:00:00+00:00: a CPU, 2 cores, Linux, type " in text
    assert "<td>10.0 µs / 20.0 µs</td>" in text
    assert "<td>SLOWER</td>" in text
    assert "not measured side by side" in text


@pytest.mark.long
def test_a_cell_is_followed_over_all_runs(
    served: Served,
    place: Store,
    make_cell: Callable[..., Cell],
    make_records: Callable[..., list[JobRecord]],
    make_run: Callable[..., Store],
) -> None:
    page = served.ask(f"/runs/{place.name}").text
    exact = page[: page.index('">torch:script</a>')].rpartition('<a href="')[2]
    make_run("later", make_records([(make_cell("torch:script"), 10_000.0)], seed=2), 3600)
    for path in ("/history?cell=torch:script", exact):
        answer = served.ask(path)
        assert answer.status == 200
        assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
        text = html.unescape(answer.text)
        assert "script-src 'sha256-" in text
        assert "a CPU, 2 cores, 1 GiB (type " in text
        assert "torch:script" in text
        assert "torch:eager" not in text


NOT_THERE = [
    "/history?cell=none",
    "/history?key=none",
    "/runs/none",
    "/runs/..",
    "/runs/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/runs/20250101-120000-first/jobs/none",
    "/runs/20250101-120000-first/jobs/..%2f..%2fmanifest",
    "/runs/none/events",
    "/runs/none/report",
    "/runs/none/jobs",
    "/runs/a%00b",
    "/compare?a=../..&b=20250101-120000-first",
    "/compare?a=20250101-120000-first&b=/etc",
    "/compare",
    "/assets/..%2fguard.py",
    "/assets/base.html",
    "/nowhere",
    f"/runs/{'x' * 5000}",
]


def test_what_is_not_there_is_one_sentence(served: Served) -> None:
    answers = {path: served.ask(path) for path in NOT_THERE}
    assert [path for path, answer in answers.items() if answer.status != 404] == []
    assert [path for path, answer in answers.items() if answer.text.count('class="alarm"') != 1] == []
    assert [path for path, answer in answers.items() if "Traceback" in answer.text or "root:" in answer.text] == []


@pytest.mark.long
def test_the_report_of_a_run_has_its_own_policy_and_is_made_from_its_records(served: Served, place: Store) -> None:
    place.page_path.write_text(HOSTILE)
    answer = served.ask(f"/runs/{place.name}/report")
    assert answer.status == 200
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert "script-src 'sha256-" in html.unescape(answer.text)
    assert HOSTILE not in answer.text


def test_a_hostile_run_is_shown_harmlessly(
    tmp_path: Path,
    make_record: Callable[..., JobRecord],
    make_run: Callable[..., Store],
    make_cell: Callable[..., Cell],
) -> None:
    cell = make_cell(workload=HOSTILE)
    failed = make_record(cell, outcome="raised", reason=HOSTILE, advice=HOSTILE)
    place = make_run("hostile", [], stopped=HOSTILE, command=(HOSTILE,))
    place.write_manifest(place.read_manifest().model_copy(update={"cells": (cell,)}))
    plain = failed.model_copy(update={"spec": failed.spec.model_copy(update={"cell": make_cell()})})
    place.write_record(plain)
    place.log_path(plain.spec).write_text(HOSTILE)
    with serve(place.folder.parent, tmp_path / "home") as served:
        pages = ["/", f"/?q={quote(HOSTILE)}", f"/?a={quote(HOSTILE)}"]
        pages += [f"/runs/{place.name}", f"/runs/{place.name}/jobs/{job_name(plain.spec)}"]
        for page in pages:
            answer = served.ask(page)
            assert answer.status == 200
            assert "<script>alert" not in answer.text
            assert "\x1b" not in answer.text
            assert "\u202e" not in answer.text
        assert "&lt;script&gt;alert(1)" in served.ask(pages[-1]).text


@pytest.mark.long
def test_a_running_sweep_sends_what_is_new_and_says_when_it_has_ended(
    served: Served, place: Store, make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord]
) -> None:
    manifest = place.read_manifest()
    place.write_manifest(manifest.model_copy(update={"finished": False, "stopped": ""}))
    running = make_record(make_cell("torch:eager"), 13)
    place.log_path(running.spec).write_text("compiling\n")
    with ExitStack() as following:
        with hold_lock(place):
            page = served.ask(f"/runs/{place.name}").text
            assert f'data-live="/runs/{place.name}/events"' in page
            events = following.enter_context(follow(served, place))
            name, parts = next(events)
            assert (name, {*parts}) == ("parts", {"progress", "results", "jobs"})
            assert "<strong>running</strong>: 24 jobs ended, 12 of at most 32 blocks" in parts["progress"]
            assert f"Running: {job_name(running.spec)}" in parts["progress"]
            assert "compiling" in parts["progress"]
            place.write_record(running)
            while "25 jobs, the newest first" not in parts["jobs"]:
                name, parts = next(events)
                assert name == "parts"
            assert "Running: " not in parts["progress"]
            place.write_manifest(manifest)
        while name == "parts":
            name, parts = next(events)
        assert name == "ended"
        assert "<strong>finished</strong>: 25 jobs ended" in parts["progress"]
        assert list(events) == []


@pytest.mark.long
def test_a_run_that_is_removed_while_it_is_watched_is_gone(served: Served, place: Store, tmp_path: Path) -> None:
    with hold_lock(place), follow(served, place) as events:
        assert next(events)[0] == "parts"
        place.folder.rename(tmp_path / "elsewhere")
        name, said = next(event for event in events if event[0] != "parts")
        assert name == "gone"
        assert f"there is no run '{place.name}'" in str(said)
        assert list(events) == []
    assert served.ask("/").status == 200


def test_runs_are_compared_by_their_place_and_not_by_what_lies_in_the_current_folder(
    place: Store, make_run: Callable[..., Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_run("other", place.read_records(), 600)
    elsewhere = tmp_path / "cwd" / place.name
    elsewhere.mkdir(parents=True)
    (elsewhere / "manifest.json").write_text("{}")
    monkeypatch.chdir(tmp_path / "cwd")
    with serve(place.folder.parent, tmp_path / "home") as served:
        answer = served.ask(f"/compare?a={place.name}&b={other.name}")
        assert answer.status == 200
        assert f"A is {place.name}, started 2025-01-01T12:00:00" in html.unescape(answer.text)


@pytest.mark.long
def test_a_link_among_the_runs_is_in_no_list_and_in_no_history(
    served: Served, place: Store, make_run: Callable[..., Store], tmp_path: Path
) -> None:
    other = make_run("hidden", place.read_records(), 600)
    other.folder.rename(tmp_path / "outside")
    other.folder.symlink_to(tmp_path / "outside")
    assert other.name not in served.ask("/").text
    assert served.ask(f"/compare?a={place.name}&b={other.name}").status == 404
    assert other.name not in served.ask("/history?cell=torch:script").text


def test_a_run_whose_name_no_address_can_have_hides_no_other_run(served: Served, place: Store) -> None:
    place.folder.rename(place.folder.with_name("20250101-130000-\udcff"))
    answer = served.ask("/")
    assert answer.status == 200
    assert "no address can have its name; rename its folder" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_run_that_has_ended_sends_one_event(served: Served, place: Store) -> None:
    with follow(served, place) as events:
        ((name, parts),) = events
    assert name == "ended"
    assert "<strong>finished</strong>" in parts["progress"]
