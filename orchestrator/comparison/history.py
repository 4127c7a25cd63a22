"""History of cells over many runs: their floors in order of time, and the steps of their level.

Runs of one type of machine form one history, and no figure is of two types. Cells are matched by their content, without
the environment and without the hash of a user's workload: a new commit is the same cell. Runs are read one at a time,
and only one point of each cell is kept.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from orchestrator.analysis.cell_summary import select_deciding_job
from orchestrator.analysis.process_scores import collect_figures
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.change_points import LEAST_SIDE, count_values_needed
from orchestrator.analysis.statistics.intervals import median_interval
from orchestrator.comparison.sides import to_content_key
from orchestrator.comparison.since import LONG_AGO
from orchestrator.comparison.steps import Panel, Point, RunFacts, Step, search_panel
from orchestrator.errors import UsageError
from orchestrator.records import store
from orchestrator.records.labels import format_title, label_cells
from orchestrator.records.store import Store
from orchestrator.records.timestamps import format_day, parse_timestamp
from schemas.job import Cell
from schemas.machine_type import MachineType

# The chance of a step in any of the cells shown of one type of machine, if none has changed.
ALPHA: Final = 0.05

# Without a choice of cells, those with fewer points have no history.
LEAST_RUNS: Final = 2
MAX_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CellHistory:
    """One cell over the runs of one type of machine, the oldest first.

    `needed` is the number of runs without which no step can be found; None: no number is enough for so many cells.
    `controls` is the number of other cells whose common shift is subtracted before the search; 0: none is.
    """

    label: str
    title: str
    points: tuple[Point, ...]
    steps: tuple[Step, ...]
    needed: int | None
    controls: int

    @property
    def claimed(self) -> tuple[Step, ...]:
        """Return the steps that move further than runs move other cells."""
        return tuple(step for step in self.steps if step.claimed)

    @property
    def is_searched(self) -> bool:
        """Return True if there are enough runs to find a step."""
        return self.needed is not None and len(self.points) >= self.needed


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeHistory:
    """The histories of one type of machine. `level` is that of each cell's search."""

    machine: MachineType
    runs: tuple[RunFacts, ...]
    cells: tuple[CellHistory, ...]
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The histories of all types of machines. `skipped` names runs that are left out, or of which records are, each
    with the reasons.
    """

    types: tuple[TypeHistory, ...]
    skipped: tuple[str, ...]
    alpha: float = ALPHA


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesByType:
    """The runs that were read: for each type of machine its runs, and the points of each cell by run."""

    runs: dict[MachineType, list[RunFacts]]
    points: dict[MachineType, dict[str, dict[int, Point]]]
    skipped: list[str]


def trace_history(
    root: Path,
    *,
    cell: str = "",
    key: str = "",
    since: datetime | None = None,
    alpha: float = ALPHA,
    links: bool = True,
) -> History:
    """Read the runs of a folder that began at some time or later, and find the steps of their cells.

    `cell` is a part of the label or title of the cells to show, and `key` that of a single one (`map_series_keys`).
    Without either, cells with at least two points are shown.
    With a chance of at most `alpha` in each type of machine, a step is found in some cell that has none. Without
    `links`, a run that a link leads to is none of the folder's.

    Raises:
        UsageError: there is no such run, or no such cell.
    """
    places = store.list_stores(root) if links else store.list_own_stores(root)
    if not places:
        raise UsageError(f"there are no runs in {root}; start one with: python -m orchestrator sweep")
    read = read_series(places, since)
    if not read.runs:
        raise UsageError(describe_nothing_read(len(places), read.skipped, since))
    types = tuple(
        trace_type(machine, runs, read.points[machine], choose_cells(read.points[machine], cell, key), alpha)
        for machine, runs in read.runs.items()
    )
    shown = tuple(each for each in types if each.cells)
    if not shown:
        raise UsageError(describe_no_cell(read, cell or key))
    return History(types=shown, skipped=tuple(read.skipped), alpha=alpha)


def describe_nothing_read(places: int, skipped: Sequence[str], since: datetime | None) -> str:
    """Describe why no run is left."""
    # Without a limit in time, a run is used or named as skipped.
    if since is None or len(skipped) == places:
        return f"no run can be used: {skipped[0]}"
    return f"none of {places} runs began on {format_day(since)} or later; give an earlier --since"


def describe_no_cell(read: SeriesByType, text: str) -> str:
    """Describe why no cell is left."""
    known = list(dict.fromkeys(name for cells in read.points.values() for name in map(name_series, cells.values())))
    if not known:
        return "no cell was measured in any of these runs; `show RUN` says why"
    if text:
        return f"no cell matches {text!r}; for example: {'; '.join(known[:MAX_EXAMPLES])}"
    return "no cell was measured in two runs of one type of machine; run the same sweep again, or name one with --cell"


def name_series(points: Mapping[int, Point]) -> str:
    """Return the label and title of a cell, as in its latest run."""
    latest = points[max(points)]
    return f"{latest.label}, {latest.title}"


def read_series(places: Sequence[Store], since: datetime | None) -> SeriesByType:
    """Read runs one after the other in order of time, and keep the points of their cells."""
    read = SeriesByType(runs={}, points={}, skipped=[])
    for began, place in sorted(list_starts(places, read.skipped), key=lambda each: each[0]):
        if since is None or began >= since:
            add_run(read, place, began)
    return read


def list_starts(places: Sequence[Store], skipped: list[str]) -> Iterator[tuple[datetime, Store]]:
    """Yield when each run began. Those whose manifest cannot be read are named in `skipped`."""
    for place in places:
        try:
            started = place.read_manifest().started
        except UsageError as error:
            skipped.append(f"{place.name}: {error}")
        else:
            yield parse_timestamp(started) or LONG_AGO, place


def add_run(read: SeriesByType, place: Store, began: datetime) -> None:
    """Add the points of one run, or name it among those left out."""
    try:
        run = Run.from_store(place)
    except UsageError as error:
        read.skipped.append(f"{place.name}: {error}")
        return
    if run.mixed:
        read.skipped.append(f"{run.name} is MIXED: its parts were measured under different conditions")
        return
    if run.left_out:
        more = len(run.left_out) - MAX_EXAMPLES
        named = (*run.left_out[:MAX_EXAMPLES], *([f"and {more} more"] if more > 0 else ()))
        read.skipped.append(f"{run.name}: {'; '.join(named)}")
    facts = make_facts(run, began)
    runs = read.runs.setdefault(run.machine_type, [])
    series = read.points.setdefault(run.machine_type, {})
    for key, point in read_points(run, facts):
        series.setdefault(key, {})[len(runs)] = point
    runs.append(facts)


def make_facts(run: Run, began: datetime) -> RunFacts:
    """Return what is kept of a run."""
    identity = run.manifest.identity
    return RunFacts(
        name=run.name,
        began=began,
        host=run.manifest.host,
        code=identity.code if identity else "",
        commits=run.manifest.commits,
        canary_ns=run.canary_ns,
        environments=run.manifest.environments,
    )


def read_points(run: Run, facts: RunFacts) -> Iterator[tuple[str, Point]]:
    """Yield the key of each measured cell with its point. Cells in several environments keep them in their keys."""
    for cell, key, label in list_series(run.manifest.cells):
        if point := make_point(run, facts, cell, label):
            yield key, point


def list_series(cells: Sequence[Cell]) -> Iterator[tuple[Cell, str, str]]:
    """Yield the cells of a run that have histories, each with its content as text and its label."""
    own = [cell for cell in cells if not cell.replica]
    keys, labels = [to_content_key(cell, ("code",)) for cell in own], label_cells(own)
    count = Counter(keys)
    for cell, key in zip(own, keys, strict=True):
        several = count[key] > 1
        yield cell, f"{key}@{cell.environment}" if several else key, labels[cell.id] if several else cell.label


def map_series_keys(cells: Sequence[Cell]) -> dict[str, str]:
    """Return the key of the history of each cell of a run, by its id: the same in each run that has the cell."""
    return {cell.id: hash_content(content) for cell, content, _ in list_series(cells)}


def hash_content(content: str) -> str:
    """Return the key of the history of a cell with this content."""
    return sha256(content.encode()).hexdigest()[:16]


def make_point(run: Run, facts: RunFacts, cell: Cell, label: str) -> Point | None:
    """Return one cell in one run; None if it was not measured there."""
    deciding = select_deciding_job(run.jobs.get(cell.id, ()))
    figures = collect_figures(run.measured_jobs.get(cell.id, ()))
    if deciding is None or deciding.outcome != "measured" or not figures:
        return None
    floor_ns = median_interval([each.floor_ns for each in figures])
    if floor_ns.estimate <= 0:
        return None
    return Point(
        run=facts, cell=cell, label=label, title=format_title(cell), floor_ns=floor_ns, versions=figures[0].versions
    )


def trace_type(
    machine: MachineType,
    runs: Sequence[RunFacts],
    series: Mapping[str, Mapping[int, Point]],
    chosen: Sequence[str],
    alpha: float,
) -> TypeHistory:
    """Find the steps of the chosen cells of one type of machine, as one family of tests."""
    # A cell with fewer points can make no alarm. If all have fewer, all of them will count when they have more.
    family = sum(len(series[key]) >= 2 * LEAST_SIDE for key in chosen) or len(chosen)
    level, panel = alpha / max(1, family), Panel(series)
    needed, steps = count_values_needed(level), search_panel(series, chosen, level, alpha)
    return TypeHistory(
        machine=machine,
        runs=tuple(runs),
        cells=tuple(make_cell_history(panel, key, steps[key], needed) for key in chosen),
        level=level,
    )


def choose_cells(series: Mapping[str, Mapping[int, Point]], text: str, key: str) -> list[str]:
    """Return the cells to show: the one with this key, those with this text in their names, or all with a history."""
    if key:
        return [content for content in series if hash_content(content) == key]
    if text:
        return [content for content, points in series.items() if text.casefold() in name_series(points).casefold()]
    return [content for content, points in series.items() if len(points) >= LEAST_RUNS]


def make_cell_history(panel: Panel, key: str, steps: tuple[Step, ...], needed: int | None) -> CellHistory:
    """Return the history of one cell with its steps."""
    points = panel.series[key]
    latest = points[max(points)]
    return CellHistory(
        label=latest.label,
        title=latest.title,
        points=tuple(points.values()),
        steps=steps,
        needed=needed,
        controls=len(panel.choose_controls(key)),
    )
