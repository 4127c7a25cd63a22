"""The server's pages: all runs, a run while it runs and afterwards, one job, two runs compared, and cells over time."""

import asyncio
import contextlib
import functools
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Final, ParamSpec, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from orchestrator.comparison.compare import compare_sides
from orchestrator.comparison.history import trace_history
from orchestrator.errors import UsageError
from orchestrator.format import to_printable
from orchestrator.machine import affinity
from orchestrator.records.share_store import locate_log
from orchestrator.records.store import job_name, open_listed
from orchestrator.report.job.terminal import read_log_tail
from orchestrator.report.page.history import render_history_page
from orchestrator.report.page.page import render_page
from orchestrator.report.page.templates import open_templates, read_text
from orchestrator.report.server import views
from orchestrator.report.server.costly import CostlyPages
from orchestrator.report.server.guard import Guard
from orchestrator.report.server.library import PAUSE_PER_COST, Library
from orchestrator.report.server.live import LOOK_S, LiveParts

PACKAGE: Final = "orchestrator.report.server"
PAGE_PACKAGE: Final = "orchestrator.report.page"

# The policy of a page that has one of its own, with the hashes of its scripts: a page cannot forbid to be framed.
FRAMELESS: Final = {"Content-Security-Policy": "frame-ancestors 'none'"}

# The cores of running sweeps are looked up so often, or less often where that takes long.
CORES_S: Final = 3.0

# A stream notices so often whether the server is ending: within the time that it is given for that.
HEED_S: Final = 0.5

PLAIN_COUNT: Final = re.compile("[0-9]{1,9}")

P = ParamSpec("P")
T = TypeVar("T")


def make_app(library: Library, token: str, is_ending: Callable[[], bool] = lambda: False) -> Starlette:
    """Return the application for the runs of one folder, behind its guard; streams end when the server is ending."""
    pages = Pages(library, is_ending)
    routes = [
        Route("/", pages.show_runs),
        Route("/runs/{run}", pages.show_run),
        Route("/runs/{run}/events", pages.stream_run),
        Route("/runs/{run}/report", pages.show_report),
        Route("/runs/{run}/jobs", pages.show_jobs),
        Route("/runs/{run}/jobs/{job}", pages.show_job),
        Route("/compare", pages.show_comparison),
        Route("/history", pages.show_history),
        Route("/assets/{name}", pages.send_asset),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, token=token)],
        exception_handlers={UsageError: pages.explain_error, HTTPException: pages.explain_error},
        lifespan=functools.partial(keep_off_workers, library),
    )


@contextlib.asynccontextmanager
async def keep_off_workers(library: Library, _app: Starlette) -> AsyncIterator[None]:
    """Keep every thread of this process off the cores on which sweeps of these runs measure, as long as it serves."""
    whole = affinity.list_cores()

    def look_once() -> float:
        """Look once, and return the time until the next look: longer, the more a look costs."""
        began_s = time.thread_time()
        # A run may vanish while it is looked at.
        with contextlib.suppress(UsageError, OSError):
            affinity.move_threads(whole, library.list_busy_cores())
        return max(CORES_S, PAUSE_PER_COST * (time.thread_time() - began_s))

    async def look_again() -> None:
        while True:
            await asyncio.sleep(await run_in_threadpool(look_once))

    looking = asyncio.create_task(look_again())
    try:
        yield
    finally:
        looking.cancel()


class Pages:
    """The pages of a library. Everything that reads, computes or fills a template runs in a thread.

    `_lock` is for the runs that are kept open, and `_costly_lock` for pages that read whole runs anew. Each of both is
    held by one thread at a time, so that a page of the second kind holds up none of the first.
    """

    def __init__(self, library: Library, is_ending: Callable[[], bool]) -> None:
        self._library, self._templates, self._is_ending = library, open_templates(PACKAGE), is_ending
        self._live = dict[str, LiveParts]()
        self._costly = CostlyPages()
        self._lock, self._costly_lock = asyncio.Lock(), asyncio.Lock()

    async def show_runs(self, request: Request) -> Response:
        """Show all runs in which the words of `q` occur; with `a`, to choose the other side of a comparison."""
        searched, chosen = request.query_params.get("q", ""), request.query_params.get("a", "")
        return HTMLResponse(await self._work(self._fill_runs, searched, chosen))

    def _fill_runs(self, searched: str, chosen: str) -> str:
        entries = self._library.list_entries(searched)
        return self._fill_template("runs.html", {"entries": entries, "searched": searched, "chosen": chosen})

    async def show_run(self, request: Request) -> Response:
        """Show the results of a run, its progress, and its newest jobs."""
        return HTMLResponse(await self._work(self._fill_run, request.path_params["run"]))

    def _fill_run(self, name: str) -> str:
        found = self._library.open_run(name)
        values = {
            "run": found.place.name,
            "progress": views.build_progress(found, datetime.now().astimezone()),
            "results": views.build_results(found.run),
            "jobs": views.list_jobs(found.reader.processes),
        }
        return self._fill_template("run.html", values)

    async def show_jobs(self, request: Request) -> Response:
        """Show those jobs of a run before which there are as many `newer` ones."""
        asked = request.query_params.get("newer", "")
        newer = int(asked) if PLAIN_COUNT.fullmatch(asked) else 0
        return HTMLResponse(await self._work(self._fill_jobs, request.path_params["run"], newer))

    def _fill_jobs(self, name: str, newer: int) -> str:
        found = self._library.open_run(name)
        jobs = views.list_jobs(found.reader.processes, newer)
        return self._fill_template("run_jobs.html", {"run": found.place.name, "jobs": jobs})

    async def stream_run(self, request: Request) -> Response:
        """Send the changing parts of a run's page as server-sent events, until it has ended."""
        name = request.path_params["run"]
        await self._work(self._library.open_run, name)
        return StreamingResponse(self._follow(name), media_type="text/event-stream")

    async def _follow(self, name: str) -> AsyncIterator[str]:
        """Yield an event whenever there is something new."""
        live, sent = self._live.setdefault(name, LiveParts(self._fill_template)), ""
        live.viewers += 1
        try:
            while not self._is_ending():
                parts, has_ended = await self._work(self._look, live, name)
                if has_ended:
                    yield f"event: ended\ndata: {parts}\n\n"
                    return
                if parts != sent:
                    yield f"event: parts\ndata: {parts}\n\n"
                    sent = parts
                await self._pause()
        except UsageError as error:  # its folder was removed or damaged
            yield f"event: gone\ndata: {json.dumps(to_printable(str(error)))}\n\n"
        finally:
            live.viewers -= 1
            if not live.viewers:
                self._live.pop(name, None)

    async def _pause(self) -> None:
        """Wait for the next look, or for the end of the server."""
        for _ in range(round(LOOK_S / HEED_S)):
            if not self._is_ending():
                await asyncio.sleep(HEED_S)

    def _look(self, live: LiveParts, name: str) -> tuple[str, bool]:
        found = self._library.open_run(name)
        return live.update(found), found.writer is None

    def _fill_template(self, name: str, values: Mapping[str, object]) -> str:
        return self._templates.get_template(name).render(values)

    async def show_report(self, request: Request) -> Response:
        """Show the report page of a run, which has a security policy of its own.

        It is made from the records: a page in the run's folder may be anybody's.
        """
        found = await self._work(self._library.open_run, request.path_params["run"])
        # Not of the results as they are now: the stamp must not be newer than what it stands for.
        return await self._work_long(("report", found.place.name), found.read_stamp, lambda: render_page(found.run))

    async def show_job(self, request: Request) -> Response:
        """Show one job: its ending, its request, its measurements, and the end of its log."""
        return HTMLResponse(await self._work(self._fill_job, request.path_params["run"], request.path_params["job"]))

    def _fill_job(self, name: str, job: str) -> str:
        found = self._library.open_run(name)
        record = found.run.find_record(job)
        values = {
            "run": found.place.name,
            "job": job_name(record.spec),
            "facts": [*views.list_job_facts(record, found.run.canary_ns)],
            "log": read_log_tail(locate_log(found.place, record)),
        }
        return self._fill_template("job.html", values)

    async def show_comparison(self, request: Request) -> Response:
        """Compare the runs `a` and `b`."""
        one, other = (request.query_params.get(side, "") for side in ("a", "b"))
        stamp = functools.partial(self._library.read_stamps, (one, other))
        return await self._work_long(
            ("compare", one, other), stamp, functools.partial(self._fill_comparison, one, other), headers=None
        )

    def _fill_comparison(self, *names: str) -> str:
        root = self._library.root
        sides = [open_listed(root.absolute(), name) for name in names]
        basis, tables, sentences = views.build_comparison(compare_sides(root, *(str(side.folder) for side in sides)))
        values = {"names": names, "basis": basis, "tables": tables, "sentences": sentences}
        return self._fill_template("compare.html", values)

    async def show_history(self, request: Request) -> Response:
        """Show the history of the cells whose name has the text `cell`, or of the one with a `key`, over all runs."""
        cell, key = (request.query_params.get(name, "") for name in ("cell", "key"))
        make = functools.partial(self._render_history, cell, key)
        return await self._work_long(("history", cell, key), self._library.read_stamps, make)

    def _render_history(self, cell: str, key: str) -> str:
        return render_history_page(trace_history(self._library.root, cell=cell, key=key, links=False))

    async def send_asset(self, request: Request) -> Response:
        """Send a style or a script of this program."""
        kinds = {"page.css": (PAGE_PACKAGE, "text/css"), "serve.css": (PACKAGE, "text/css")}
        kinds["serve.js"] = (PACKAGE, "text/javascript")
        name = request.path_params["name"]
        if name not in kinds:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        package, kind = kinds[name]
        return Response(read_text(package, name), media_type=kind)

    async def explain_error(self, _request: Request, error: Exception) -> Response:
        """Show a mistake in one sentence."""
        if isinstance(error, HTTPException):
            return self._explain("There is no such page.", HTTPStatus(error.status_code))
        return self._explain(str(error), HTTPStatus.NOT_FOUND)

    def _explain(self, text: str, status: HTTPStatus) -> Response:
        return HTMLResponse(self._fill_template("error.html", {"text": text}), status)

    async def _work(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        async with self._lock:
            return await run_in_threadpool(function, *arguments, **named)

    async def _work_long(
        self,
        key: Hashable,
        read_stamp: Callable[[], tuple[Hashable, bool]],
        make: Callable[[], str],
        headers: Mapping[str, str] | None = FRAMELESS,
    ) -> Response:
        """Show a page that reads whole runs anew, unless what it shows is as it was.

        `read_stamp` returns what changes with that, and whether a sweep is running.
        """

        def get_page() -> str:
            stamp, is_running = read_stamp()
            return self._costly.get_page(key, stamp, make, is_running=is_running)

        async with self._costly_lock:
            return HTMLResponse(await run_in_threadpool(get_page), headers=headers)
