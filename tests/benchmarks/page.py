"""Report pages of large runs: their size, the time to write them, and the time that a browser takes to open them.

The runs are copies of one real job, measured now: every cell gets processes like it, slowed by known factors and noise.
The cells share ten modes, so that fifty cells form five groups of ten, and a thousand cells a hundred groups.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

from orchestrator.analysis.run import Run
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.execution.sweep import Sweep
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning import plan as planning
from orchestrator.processes.signals import Interrupts
from orchestrator.records import store
from orchestrator.report.page.page import render_page
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord, Manifest
from schemas.sweep import SweepSpec

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu"]
MODES = (
    "torch:eager",
    "torch:trace",
    "torch:script",
    "torch:compile",
    "tensorflow:eager",
    "tensorflow:function",
    "tensorflow:xla",
    "jax:eager",
    "jax:jit",
    "numpy:eager",
)
# Evaluated as soon as the first chart is drawn.
OPENED = """() => {
  const [navigation] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return [paint.startTime, navigation.loadEventEnd, performance.now()];
}"""


def main() -> None:
    """Print the figures for fifty and for a thousand cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[50, 1000])
    parser.add_argument("--blocks", type=int, default=16)
    parser.add_argument("--keep", type=Path, help="a folder to keep the pages in")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = measured(Path(folder))
        for count in asked.cells:
            figures(base, count, asked.blocks, (asked.keep or Path(folder)) / f"{count}.html")


def figures(base: JobRecord, count: int, blocks: int, path: Path) -> None:
    """Write the page of one run, open it, and print its size and times."""
    cells = tuple(cell(number) for number in range(count))
    records = list(like(base, cells, blocks))
    manifest = Manifest(
        name="large",
        started="2025-01-01T00:00:00+00:00",
        command=("sweep",),
        sweep=SweepSpec(),
        seed=1,
        cells=cells,
        host=base.host,
        stopped="all blocks were run",
        finished=True,
    )
    began = time.monotonic()
    run = Run(name="large", manifest=manifest, records=tuple(records))
    groups = len(run.groups)
    concluded = time.monotonic()
    path.write_text(render_page(run))
    written = time.monotonic()
    print(
        f"{count} cells in {groups} groups, {blocks} blocks: {path.stat().st_size / 1e6:.2f} MB; "
        f"results {concluded - began:.1f} s, page {written - concluded:.1f} s; in the browser, {opened(path)}"
    )


def measured(folder: Path) -> JobRecord:
    """Measure one real job of NumPy as a sweep does, and return its record."""
    asked = SweepSpec.model_validate({"axes": {"frameworks": ("numpy",)}, "stop": {"blocks": 1}})
    planned, run = (
        planning.build_plan(asked, affinity.list_cores()),
        store.create_run(folder, "base", datetime.now().astimezone()),
    )
    with Interrupts() as interrupts:
        Sweep(
            plan=planned,
            launcher=LocalLauncher(interrupts, folder),
            store=run,
            host=fingerprint.take_fingerprint(),
            publish=lambda event: None,
            interrupts=interrupts,
            enough=lambda records, block: True,
        ).run()
    return next(record for record in run.read_records() if record.outcome == "measured")


def cell(number: int) -> Cell:
    """Return a cell by its number: the mode varies fastest; groups differ in workload, task and size."""
    framework, _, mode = MODES[number % len(MODES)].partition(":")
    size = number // len(MODES)
    return Cell(
        framework=framework,
        mode=mode,
        workload=("rnn_cell", "mlp")[size % 2],
        task=("forward", "backward")[size // 2 % 2],
        parameters={"hidden": 8 + size},
    )


def like(base: JobRecord, cells: Sequence[Cell], blocks: int) -> Iterator[JobRecord]:
    """Yield the records of a whole sweep: the real times with one factor per cell and one per process."""
    rng, at = random.Random(1), datetime.fromisoformat("2025-01-01T00:00:00+00:00")
    assert base.report is not None
    assert base.outside is not None
    for block in range(1, blocks + 1):
        for position, each in enumerate(rng.sample(cells, len(cells))):
            factor = (1 + 0.3 * MODES.index(each.label)) * rng.lognormvariate(0, 0.01)
            spec = base.spec.model_copy(update={"cell": each, "block": block, "position": position})
            outside = base.outside.model_copy(update={"started": at.isoformat()})
            report = slowed(base.report, factor, rng)
            yield base.model_copy(update={"spec": spec, "result": report, "outside": outside})
            at += timedelta(seconds=2)


def slowed(report: Report, factor: float, rng: random.Random) -> Report:
    """Return the report of the same process, slower by a factor, with a little noise on samples and laps."""
    return report.model_copy(
        update={
            "samples_ns": tuple(round(sample * factor * rng.uniform(1, 1.02)) for sample in report.samples_ns),
            "warmup": tuple((calls, round(took * factor * rng.uniform(1, 1.05))) for calls, took in report.warmup),
        }
    )


def opened(path: Path) -> str:
    """Open a page three times, each in a fresh browser, and return the median times in words."""
    times = [once(path) for _ in range(3)]
    painted, loaded, drawn = (statistics.median(each) / 1e3 for each in zip(*times, strict=True))
    return f"first paint {painted:.2f} s, loaded {loaded:.2f} s, first chart drawn {drawn:.2f} s"


def once(path: Path) -> list[float]:
    """Return the milliseconds from the start of navigation to first paint, to load, and to the first drawn chart."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page()
        tab.goto(path.as_uri(), wait_until="load")
        # The page draws a chart only when it comes near the viewport.
        tab.locator("figure.picture").first.scroll_into_view_if_needed()
        tab.locator(".drawing svg").first.wait_for()
        times: list[float] = tab.evaluate(OPENED)
        browser.close()
    return times


if __name__ == "__main__":
    main()
