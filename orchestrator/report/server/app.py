"""The server's pages: all runs, a run while it runs and afterwards, one job, two runs compared, and cells over time."""

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Callable, Mapping
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
from orchestrator.report.page.templates import open_templates, read_text
from orchestrator.report.server import views
from orchestrator.report.server.guard import Guard
from orchestrator.report.server.library import Library, OpenRun
from orchestrator.report.server.live import LOOK_S, LiveParts

PACKAGE: Final = "orchestrator.report.server"
PAGE_PACKAGE: Final = "orchestrator.report.page"

# The policy of a page that has one of its own, with the hashes of its scripts: a page cannot forbid to be framed.
FRAMELESS: Final = {"Content-Security-Policy": "frame-ancestors 'none'"}

# The cores of running sweeps are looked up so often.
CORES_S: Final = 3.0

P = ParamSpec("P")
T = TypeVar("T")


def make_app(library: Library, token: str) -> Starlette:
    """Return the application for the runs of one folder, behind its guard."""
    pages = Pages(library)
    routes = [
        Route("/", pages.show_runs),
        Route("/runs/{run}", pages.show_run),
        Route("/runs/{run}/events", pages.stream_run),
        Route("/runs/{run}/report", pages.show_report),
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

    async def look() -> None:
        while True:
            # A run may vanish while it is looked at.
            with contextlib.suppress(UsageError, OSError):
                affinity.move_threads(whole, await run_in_threadpool(library.list_busy_cores))
            await asyncio.sleep(CORES_S)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()


class Pages:
    """The pages of a library. Everything that reads or computes runs in a thread, so that others do not wait."""

    def __init__(self, library: Library) -> None:
        self._library, self._templates = library, open_templates(PACKAGE)
        self._live = dict[str, LiveParts]()
        self._lock = asyncio.Lock()  # one at a time: two threads must not read the same run

    async def show_runs(self, request: Request) -> Response:
        """Show all runs in which the words of `q` occur; with `a`, to choose the other side of a comparison."""
        searched, chosen = request.query_params.get("q", ""), request.query_params.get("a", "")
        entries = await self._work(self._library.list_entries, searched)
        return self._render("runs.html", entries=entries, searched=searched, chosen=chosen)

    async def show_run(self, request: Request) -> Response:
        """Show the results of a run, its progress, and its jobs."""
        found = await self._open(request)
        return self._render(
            "run.html",
            run=found.place.name,
            progress=views.build_progress(found, datetime.now().astimezone()),
            results=views.build_results(found.run),
            jobs=[*views.list_jobs(found.reader.processes)],
        )

    async def stream_run(self, request: Request) -> Response:
        """Send the changing parts of a run's page as server-sent events, until it has ended."""
        found = await self._open(request)
        return StreamingResponse(self._follow(found.place.name), media_type="text/event-stream")

    async def _follow(self, name: str) -> AsyncIterator[str]:
        """Yield an event whenever there is something new."""
        live, sent = self._live.setdefault(name, LiveParts(self._fill_template)), ""
        live.viewers += 1
        try:
            while True:
                found = await self._work(self._library.open_run, name)
                parts = await self._work(live.update, found)
                if found.writer is None:
                    yield f"event: ended\ndata: {parts}\n\n"
                    return
                if parts != sent:
                    yield f"event: parts\ndata: {parts}\n\n"
                    sent = parts
                await asyncio.sleep(LOOK_S)
        except UsageError as error:  # its folder was removed or damaged
            yield f"event: gone\ndata: {json.dumps(to_printable(str(error)))}\n\n"
        finally:
            live.viewers -= 1
            if not live.viewers:
                self._live.pop(name, None)

    def _fill_template(self, name: str, values: Mapping[str, object]) -> str:
        return self._templates.get_template(name).render(values)

    async def show_report(self, request: Request) -> Response:
        """Show the report page of a run, which has a security policy of its own."""
        found = await self._open(request)
        page = await self._work(found.render_report)
        return HTMLResponse(page, headers=FRAMELESS)

    async def show_job(self, request: Request) -> Response:
        """Show one job: its ending, its request, its measurements, and the end of its log."""
        found = await self._open(request)
        record = found.run.find_record(request.path_params["job"])
        facts = views.list_job_facts(record, found.run.canary_ns)
        log = await self._work(read_log_tail, locate_log(found.place, record))
        return self._render("job.html", run=found.place.name, job=job_name(record.spec), facts=facts, log=log)

    async def show_comparison(self, request: Request) -> Response:
        """Compare the runs `a` and `b`."""
        names = [request.query_params.get(side, "") for side in ("a", "b")]
        sides = [open_listed(self._library.root.absolute(), name) for name in names]
        compared = await run_in_threadpool(compare_sides, self._library.root, *(str(side.folder) for side in sides))
        basis, tables, sentences = views.build_comparison(compared)
        return self._render("compare.html", names=names, basis=basis, tables=tables, sentences=sentences)

    async def show_history(self, request: Request) -> Response:
        """Show the history of the cells whose name has the text `cell`, over all runs of the folder."""
        cell = request.query_params.get("cell", "")
        return HTMLResponse(await run_in_threadpool(self._render_history, cell), headers=FRAMELESS)

    def _render_history(self, cell: str) -> str:
        return render_history_page(trace_history(self._library.root, cell=cell, links=False))

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
            return self._render("error.html", HTTPStatus(error.status_code), text="There is no such page.")
        return self._render("error.html", HTTPStatus.NOT_FOUND, text=str(error))

    async def _open(self, request: Request) -> OpenRun:
        return await self._work(self._library.open_run, request.path_params["run"])

    async def _work(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        async with self._lock:
            return await run_in_threadpool(function, *arguments, **named)

    def _render(self, name: str, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
        return HTMLResponse(self._fill_template(name, values), status)
