"""Steps of a cell's floor over many runs: where its level changed, by how much, and what else changed there.

The unit is the run, since a run moves all its processes alike. A step is claimed under two conditions. It is
significant: a change point of the cell's log floors, less the common shift of other cells in each run. And it moves
further than the same runs move cells that did not change, by the rule of a comparison of two runs (`run_effects`).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from statistics import median
from typing import Final, TypeAlias

from orchestrator.analysis.statistics.change_points import LEAST_SIDE, find_change_points
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.analysis.statistics.rank_sum import hodges_lehmann_shift, rank_sum_p
from orchestrator.analysis.undisturbed import RatioEstimate
from orchestrator.comparison.compare import describe_host_differences
from orchestrator.comparison.run_effects import FEWEST_OTHERS, allow_for_run_effects, contains_zero
from orchestrator.comparison.sides import list_package_prefixes
from orchestrator.records import provenance
from schemas.environment import EnvironmentRecord
from schemas.job import Cell
from schemas.record import Host

# The numbers of the runs before a step, and of those after it.
Sides: TypeAlias = tuple[Sequence[int], Sequence[int]]

# The share of a cell's runs in which another cell was measured, so that it may show the effects of these runs.
COMMON_SHARE: Final = 0.9

# The number of other cells that show the effects of the runs. More of them would hardly sharpen it.
MAX_OTHERS: Final = 24

# Rounds of the search. In each, the steps that are known by then are left out of what other cells show.
MAX_ROUNDS: Final = 4

# Digits of a hash or a commit in words.
SHORT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """The facts about a run. `code` is the hash of the code that measured it, `commits` those of users' workloads.

    `environments` are those of its jobs, by name.
    """

    name: str
    began: datetime
    host: Host
    code: str
    commits: Mapping[str, str]
    canary_ns: float
    environments: Mapping[str, EnvironmentRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One cell in one run: its floor over the processes, and the versions of the packages on which it ran."""

    run: RunFacts
    cell: Cell
    label: str
    title: str
    floor_ns: Interval
    versions: Mapping[str, str]

    @property
    def log_floor(self) -> float:
        """Return the logarithm of its nanoseconds per call."""
        return math.log(self.floor_ns.estimate)

    @property
    def commit(self) -> str:
        """Return the commit of the user's workload; empty if it is not known."""
        return self.run.commits.get(self.cell.workload_key, "")

    @property
    def environment(self) -> dict[str, EnvironmentRecord]:
        """Return the environment in which it ran, by its name; empty if the run does not describe it."""
        found = self.run.environments.get(self.cell.environment)
        return {} if found is None else {self.cell.environment: found}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change of a cell's level between two runs, as the ratio of the times after it to those before it.

    `ratio` has room for what runs do to a cell, `observed` has none. `p` is the larger of both tests'. `changed` lists
    in words what is recorded to differ between the last run before the step and the first one after it.
    """

    before: Point
    after: Point
    observed: Interval
    ratio: Interval
    p: float
    claimed: bool
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """The points of all cells on one type of machine, by cell and by the number of their run.

    `shifts` are the log ratios of steps that are known already, by cell and by the number of the first run after each.
    A cell that shows what runs do to others is taken without them.
    """

    series: Mapping[str, Mapping[int, Point]]
    shifts: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    def choose_controls(self, key: str) -> tuple[str, ...]:
        """Return the cells whose common shift shows what each run did to all cells; none if there are too few.

        A new version of a framework moves all its cells. So cells of other frameworks are taken, if there are enough.
        """
        runs, framework = self.series[key].keys(), self._find_framework(key)
        # Each generator ends as soon as enough are found, so that many cells do not wait for all others of them.
        every = (other for other in self.series if other != key and self._has_most_of(other, runs))
        others = (other for other in self.series if self._find_framework(other) != framework)
        foreign = (other for other in others if self._has_most_of(other, runs))
        for found in (tuple(islice(foreign, MAX_OTHERS)), tuple(islice(every, MAX_OTHERS))):
            if len(found) >= FEWEST_OTHERS:
                return found
        return ()

    def _find_framework(self, key: str) -> str:
        return next(iter(self.series[key].values())).cell.framework

    def _has_most_of(self, key: str, runs: Set[int]) -> bool:
        return len(runs & self.series[key].keys()) >= COMMON_SHARE * len(runs)

    def get_witnessed_log(self, key: str, run: int) -> float:
        """Return the log floor of a cell in a run as if its known steps were none."""
        known = self.shifts.get(key, {})
        return self.series[key][run].log_floor - sum(shift for first, shift in known.items() if first <= run)

    def list_witnessed_logs(self, key: str, runs: Sequence[int]) -> list[float]:
        """Return these log floors of a cell in those of these runs that measured it."""
        return [self.get_witnessed_log(key, run) for run in runs if run in self.series[key]]

    def has_step_at(self, key: str, edge: tuple[int, int]) -> bool:
        """Return True if a known step of a cell is at this edge, give or take a run."""
        return any(edge[0] <= first <= edge[1] + 1 for first in self.shifts.get(key, {}))

    def subtract_common_shift(self, key: str, controls: Sequence[str]) -> dict[int, float]:
        """Return a cell's log floors by run, less the median deviation of the controls; as they are without any.

        Runs in which too few controls were measured are left out.
        """
        points = self.series[key]
        if not controls:
            return {run: point.log_floor for run, point in points.items()}
        levels = {other: median(self.list_witnessed_logs(other, list(points))) for other in controls}
        shifts = {
            run: [self.get_witnessed_log(other, run) - levels[other] for other in controls if run in self.series[other]]
            for run in points
        }
        return {
            run: points[run].log_floor - median(shift) for run, shift in shifts.items() if len(shift) >= FEWEST_OTHERS
        }


def search_panel(
    series: Mapping[str, Mapping[int, Point]], chosen: Iterable[str], level: float, alpha: float
) -> dict[str, tuple[Step, ...]]:
    """Find the steps of the chosen cells, and of those that show what runs do to them.

    In another round, steps that are claimed no longer blur what other cells show.
    """
    panel, found = Panel(series), dict[str, tuple[Step, ...]]()
    controls = {key: panel.choose_controls(key) for key in chosen}
    shown = dict.fromkeys(other for each in controls.values() for other in each)
    controls |= {key: panel.choose_controls(key) for key in shown if key not in controls}
    for _ in range(MAX_ROUNDS):
        found = {key: find_steps(panel, key, others, level, alpha) for key, others in controls.items()}
        known = {key: collect_shifts(series[key], steps) for key, steps in found.items()}
        if list_places(known) == list_places(panel.shifts):
            break
        panel = Panel(series, known)
    return found


def list_places(shifts: Mapping[str, Mapping[int, float]]) -> set[tuple[str, int]]:
    """Return the place of each step: its cell, and the number of the first run after it."""
    return {(key, first) for key, each in shifts.items() for first in each}


def collect_shifts(points: Mapping[int, Point], steps: Sequence[Step]) -> dict[int, float]:
    """Return the log ratios of the claimed steps of a cell, by the number of the first run after each."""
    numbers = {point.run.name: run for run, point in points.items()}
    return {numbers[step.after.run.name]: math.log(step.observed.estimate) for step in steps if step.claimed}


def find_steps(panel: Panel, key: str, controls: Sequence[str], level: float, alpha: float) -> tuple[Step, ...]:
    """Find the steps of one cell. `level` is that of its search, 1 - `alpha` that of the intervals."""
    adjusted = panel.subtract_common_shift(key, controls)
    runs = list(adjusted)
    found = find_change_points([adjusted[run] for run in runs], level)
    edges = (0, *(point.index for point in found), len(runs))
    return tuple(
        measure_step(panel, key, controls, (runs[first:middle], runs[middle:last]), adjusted, point.p, alpha)
        for point, first, middle, last in zip(found, edges, edges[1:], edges[2:], strict=False)
    )


def measure_step(
    panel: Panel, key: str, controls: Sequence[str], sides: Sides, adjusted: Mapping[int, float], p: float, alpha: float
) -> Step:
    """Measure a step between the runs on both sides, with room for what these runs do to a cell."""
    points, edge = panel.series[key], (sides[0][-1], sides[1][0])
    one, other = ([points[run].log_floor for run in side] for side in sides)
    shift = hodges_lehmann_shift(one, other, alpha)
    # What moves all cells of a run alike is no doubt about this one, so the width is that of the adjusted floors.
    one, other = ([adjusted[run] for run in side] for side in sides)
    within = hodges_lehmann_shift(one, other, alpha)
    own = Interval(
        shift.estimate, shift.estimate - within.estimate + within.low, shift.estimate - within.estimate + within.high
    )
    allowed = allow_for_others(panel, key, controls, sides, RatioEstimate(own, p), alpha)
    before, after = (points[run] for run in edge)
    return Step(
        before=before,
        after=after,
        observed=shift.exp(),
        ratio=allowed.interval.exp(),
        p=allowed.p,
        claimed=allowed.p <= alpha and not contains_zero(allowed.interval),
        changed=tuple(describe_changes(before, after)),
    )


def allow_for_others(
    panel: Panel, key: str, controls: Sequence[str], sides: Sides, own: RatioEstimate, alpha: float
) -> RatioEstimate:
    """Widen the log ratio of a step by what its runs did to the other cells.

    An upgrade moves all cells of a framework, which then look like an effect of the runs. So the controls alone are
    tried as well, and the clearer result counts.
    """
    others, witnesses = select_others(panel, key, sides), list_witnesses(panel.series[key], sides)
    apart = [other for other in others if other in controls]
    choices = [others, apart] if FEWEST_OTHERS <= len(apart) < len(others) else [others]
    edge = (sides[0][-1], sides[1][0])
    found = [
        allow_for_run_effects(
            [own, *(estimate_shift(panel, other, sides, alpha) for other in chosen)],
            [number for number, other in enumerate(chosen, 1) if is_unchanged(panel.series[other], edge)],
            alpha,
            witnesses,
        )[0]
        for chosen in choices
    ]
    return min(found, key=lambda each: (contains_zero(each.interval), each.p))


def select_others(panel: Panel, key: str, sides: Sides) -> list[str]:
    """Return the cells that were measured often enough on both sides, those without a change of software first.

    A cell with a step at the same place is no witness.
    """
    edge = (sides[0][-1], sides[1][0])
    found = [
        other
        for other, points in panel.series.items()
        if other != key
        and not panel.has_step_at(other, edge)
        and all(sum(run in points for run in side) >= LEAST_SIDE for side in sides)
    ]
    return sorted(found, key=lambda other: not is_unchanged(panel.series[other], edge))[:MAX_OTHERS]


def is_unchanged(points: Mapping[int, Point], edge: tuple[int, int]) -> bool:
    """Return True if a cell ran with the same versions and code on both edges of a step."""
    one, other = (points.get(run) for run in edge)
    return one is not None and other is not None and list_software(one) == list_software(other)


def list_software(point: Point) -> tuple[str, dict[str, str]]:
    """Return the code of the workload and the versions of the framework's own packages."""
    prefixes = list_package_prefixes(point.cell.framework)
    return point.cell.code, {name: text for name, text in point.versions.items() if name.startswith(prefixes)}


def estimate_shift(panel: Panel, key: str, sides: Sides, alpha: float) -> RatioEstimate:
    """Estimate the shift of another cell between the runs on both sides."""
    one, other = (panel.list_witnessed_logs(key, side) for side in sides)
    return RatioEstimate(hodges_lehmann_shift(one, other, alpha), rank_sum_p(one, other))


def list_witnesses(points: Mapping[int, Point], sides: Sides) -> list[float]:
    """Return the log ratio of the canaries on both sides, which only the runs can have changed; none without any."""
    canaries = [[points[run].run.canary_ns for run in side if points[run].run.canary_ns > 0] for side in sides]
    return [math.log(median(canaries[1]) / median(canaries[0]))] if all(canaries) else []


def describe_changes(before: Point, after: Point) -> Iterator[str]:
    """Describe in words what is recorded to differ between a cell in two runs."""
    yield from dict.fromkeys(
        [
            *provenance.describe_differences("", before.versions, after.versions),
            *describe_code_changes(before, after),
            *provenance.find_changed_environments(before.environment, after.environment),
            *describe_host_differences(before.run.host, after.run.host, software=True),
            *describe_host_differences(before.run.host, after.run.host, software=False),
        ]
    )


def describe_code_changes(before: Point, after: Point) -> Iterator[str]:
    """Describe the changes of a user's workload and of the code that measures."""
    if before.commit != after.commit:
        one, other = (point.commit[:SHORT] or "unknown" for point in (before, after))
        yield f"commit {one} is now {other}"
    if before.cell.code != after.cell.code:
        one, other = (point.cell.code[:SHORT] or "absent" for point in (before, after))
        yield f"code {one} of the workload is now {other}"
    if before.run.code != after.run.code:
        yield "another version of Plumbline measured it"
