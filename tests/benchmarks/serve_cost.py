"""The cost of `serve` for a running sweep: the CPU time of the server and of the sweep's own process, with many runs.

    python -m tests.benchmarks.serve_cost 1000 10000 60

In a folder of a thousand runs, one has ten thousand records and gets another one each second, as if a sweep wrote it;
beside it a sweep of the default modes runs. For a minute each, the server is left alone, two viewers follow the sweep,
and two viewers follow the large run. The CPU time of the server and of the sweep's process, without its workers, is
read before and after. What the server reads once, at the first look at a run, is not part of it, and printed alone.
"""

import argparse
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from orchestrator.records.store import Store
from tests.benchmarks.many_records import list_cells, make_record, make_run
from tests.orchestrator.quick import PROGRAM
from tests.orchestrator.report.server.serving import Served, serve

RECORDS_OF_A_SMALL_RUN = 20

# The default modes on two workloads, for longer than the measurements take.
LONG_SWEEP = """\
seed = 3

[axes]
workloads = ["rnn_cell", "mlp"]
environment = ["current"]

[stop]
blocks = 32
budget = 3600
precision = 0.0001
"""


@dataclass(frozen=True, slots=True)
class Share:
    """The CPU time of the server and of the sweep's process, as shares of a core."""

    what: str
    server: float
    parent: float


def make_many_runs(root: Path, number: int) -> None:
    """Make so many small runs, all copies of one."""
    first = make_run(root, RECORDS_OF_A_SMALL_RUN)
    for each in range(1, number):
        shutil.copytree(first.folder, root.joinpath(f"20250101-{each:06}-small"))


@contextmanager
def grow(place: Store) -> Iterator[None]:
    """Add a record to a run each second, and hold its lock meanwhile."""
    is_over, rng = threading.Event(), random.Random(1)
    cells = [*list_cells(10)]

    def add() -> None:
        number = 0
        while not is_over.wait(1.0):
            number += 1
            place.write_record(make_record(rng, cells[number % len(cells)], 1000 + number, number))

    with place.hold_lock(f"{os.getpid()} benchmark"):
        adding = threading.Thread(target=add)
        adding.start()
        try:
            yield
        finally:
            is_over.set()
            adding.join()


@contextmanager
def run_sweep(root: Path, folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Run a real sweep into the folder of runs; yield its process and its run once it has measured something."""
    folder.joinpath("sweep.toml").write_text(LONG_SWEEP)
    before = {path.name for path in root.iterdir()}
    command = [*PROGRAM, "sweep", "sweep.toml", "--no-report", "--wait", "--runs", str(root)]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=folder, stdout=nowhere, stderr=nowhere) as process:
        try:
            while not (begun := [path for path in root.iterdir() if path.name not in before]) or not any(
                begun[0].glob("jobs/*.json")
            ):
                if process.poll() is not None:
                    raise RuntimeError("the sweep has ended before it measured anything")
                time.sleep(0.2)
            yield psutil.Process(process.pid), begun[0].name
        finally:
            process.terminate()
            process.wait(60)


def measure(what: str, server: psutil.Process, parent: psutil.Process, seconds: float) -> Share:
    """Return what both take in so many seconds.

    Raises:
        RuntimeError: the sweep has ended meanwhile.
    """
    began_s, before = time.monotonic(), [sum(each.cpu_times()[:2]) for each in (server, parent)]
    time.sleep(seconds)
    if parent.status() == psutil.STATUS_ZOMBIE:
        raise RuntimeError(f"the sweep has ended while this was measured: {what}")
    elapsed_s = time.monotonic() - began_s
    shares = [(sum(each.cpu_times()[:2]) - was) / elapsed_s for each, was in zip((server, parent), before, strict=True)]
    return Share(what, *shares)


def follow_events(served: Served, name: str, is_over: threading.Event) -> None:
    """Follow the events of a run until it is over."""
    request = urllib.request.Request(f"{served.address}/runs/{name}/events", headers=served.cookie)
    with suppress(OSError, HTTPException), urllib.request.urlopen(request, timeout=600) as stream:
        for _ in stream:
            if is_over.is_set():
                return


@contextmanager
def open_viewers(served: Served, name: str) -> Iterator[None]:
    """Let two viewers follow a run, whose first events are over when this is entered."""
    is_over = threading.Event()
    viewers = [threading.Thread(target=follow_events, args=(served, name, is_over)) for _ in range(2)]
    for viewer in viewers:
        viewer.start()
    time.sleep(5.0)
    try:
        yield
    finally:
        is_over.set()
        for viewer in viewers:
            viewer.join(30)


def ask_first(served: Served, name: str) -> None:
    """Ask for a run for the first time, which may take minutes on a busy machine."""
    request = urllib.request.Request(f"{served.address}/runs/{name}", headers=served.cookie)
    with urllib.request.urlopen(request, timeout=600) as answer:
        answer.read()


def measure_all(root: Path, home: Path, large: Store, seconds: float) -> tuple[float, list[Share]]:
    """Return the seconds of CPU time of the first look, and what is taken without and with viewers."""
    with grow(large), run_sweep(root, home) as (parent, running), serve(root, home) as served:
        server = psutil.Process(served.process.pid)
        before_s = sum(server.cpu_times()[:2])
        ask_first(served, large.name)
        first_s = sum(server.cpu_times()[:2]) - before_s
        shares = [measure("no viewer", server, parent, seconds)]
        for what, name in (("two viewers of the sweep", running), ("two viewers of the large run", large.name)):
            with open_viewers(served, name):
                shares.append(measure(what, server, parent, seconds))
    return first_s, shares


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the runs, measure, and print a table."""
    parser = argparse.ArgumentParser(description="Print what `serve` takes beside a running sweep.")
    parser.add_argument("runs", type=int, help="number of small runs")
    parser.add_argument("records", type=int, help="number of records of the large one")
    parser.add_argument("seconds", type=float, help="length of each measurement")
    said = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder, "runs"), Path(folder, "home")
        home.mkdir()
        make_many_runs(root, said.runs)
        large = make_run(root, said.records)
        first_s, shares = measure_all(root, home, large, said.seconds)
    drawn = Table("", "server", "sweep's process", "together")
    for each in shares:
        drawn.add_row(
            each.what, *(f"{100 * value:.2f} %" for value in (each.server, each.parent, each.server + each.parent))
        )
    Console().print(
        f"load at the end: {os.getloadavg()[0]:.1f}; the first look took {first_s:.1f} s of CPU time", drawn
    )


if __name__ == "__main__":
    main()
