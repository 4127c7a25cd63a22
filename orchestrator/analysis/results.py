"""From records to results: cell by cell, in the groups within which times may be compared."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.analysis.compare import Comparison, Scores, Standing, compare_all, should_stop, standings
from orchestrator.analysis.statistics import Interval, median_interval
from schemas.event import PhaseName, Report
from schemas.job import Cell
from schemas.record import JobRecord, Outcome
from schemas.sweep import SweepSpec

BEFORE_FIRST_RESULT: tuple[PhaseName, ...] = ("trace", "compile", "first_call")
DECIDING: tuple[Outcome, ...] = ("wrong", "unfair", "implausible", "unsupported", "measured")
"""Of several outcomes of one cell, the first of these that occurred speaks for it; otherwise the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One cell over all its processes, of which there may be none yet: then there is no outcome.

    Times are nanoseconds per call; `first_ns` is from the finished model to its first result.
    """

    cell: Cell
    jobs: int
    outcome: Outcome | None
    reason: str
    advice: str
    floor_ns: Interval
    typical_ns: Interval
    first_ns: Interval
    warnings: tuple[str, ...]

    @property
    def label(self) -> str:
        """Framework and mode."""
        return self.cell.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cells that compute the same, and what may be said of them together."""

    title: str
    baseline: str
    results: tuple[Result, ...]
    comparisons: tuple[Comparison, ...]
    standings: tuple[Standing, ...]
    clone: Comparison | None

    @property
    def against(self) -> dict[str, Comparison]:
        """Each cell's comparison with the baseline, by label."""
        every = [*self.comparisons, *(comparison.flipped() for comparison in self.comparisons)]
        return {comparison.cell: comparison for comparison in every if comparison.baseline == self.baseline}

    def result(self, label: str) -> Result:
        """The result of that label."""
        return next(result for result in self.results if result.label == label)


def groups(records: Sequence[JobRecord], cells: Sequence[Cell], baseline: str | None = None) -> tuple[Group, ...]:
    """Results of all cells, in the order of the plan, grouped by what they compute."""
    of_cell = defaultdict(list)
    for record in records:
        of_cell[record.spec.cell.id].append(record)
    together = defaultdict(list)
    for cell in cells:
        together[title(cell)].append(result(cell, of_cell[cell.id]))
    scores = {cell.id: score(of_cell[cell.id]) for cell in cells}
    return tuple(group(name, results, scores, baseline) for name, results in together.items())


def title(cell: Cell) -> str:
    """What a cell computes, in words: cells of the same title may be compared."""
    sizes = " ".join(f"{name}={value}" for name, value in cell.parameters.items())
    threads = f"{cell.threads} thread{'s' if cell.threads > 1 else ''}"
    track = "" if cell.track == "parity" else f", {cell.track}"
    return f"{cell.workload} {cell.task} ({sizes}), batch {cell.batch}, {cell.dtype}, {threads}, {cell.device}{track}"


def result(cell: Cell, records: Sequence[JobRecord]) -> Result:
    """One cell's result from its records, of which there may be none yet."""
    reports = [record.report for record in records if record.report is not None]
    speaker = speaking(records)
    return Result(
        cell=cell,
        jobs=len(records),
        outcome=speaker.outcome if speaker else None,
        reason=speaker.reason if speaker else "",
        advice=speaker.advice if speaker else "",
        floor_ns=median_interval([math.exp(floor(report)) * 1e9 for report in reports]),
        typical_ns=median_interval([math.exp(typical(report)) * 1e9 for report in reports]),
        first_ns=median_interval([first_result_ns(report) for report in reports]),
        warnings=tuple(dict.fromkeys(warning for report in reports for warning in report.warnings)),
    )


def speaking(records: Sequence[JobRecord]) -> JobRecord | None:
    """The record whose outcome is the cell's."""
    for outcome in DECIDING:
        for record in records:
            if record.outcome == outcome:
                return record
    return records[-1] if records else None


def group(name: str, results: Sequence[Result], scores: dict[str, Scores], baseline: str | None) -> Group:
    """Compare the measured cells of one group with each other, and the A/A clone with its original."""
    ranked = [each for each in results if each.outcome == "measured" and not each.cell.replica]
    twins = [each for each in results if each.outcome == "measured" and each.cell.replica]
    comparisons = compare_all({each.label: scores[each.cell.id] for each in ranked})
    labels = [each.label for each in ranked]
    return Group(
        title=name,
        baseline=choose_baseline(results, baseline),
        results=tuple(results),
        comparisons=comparisons,
        standings=standings(labels, comparisons),
        clone=clone(twins[0], ranked, scores) if twins else None,
    )


def choose_baseline(results: Sequence[Result], asked: str | None) -> str:
    """The mode that was asked for, or else the first that was measured or still may be."""
    hopeful = [each.label for each in results if each.outcome in ("measured", None) and not each.cell.replica]
    return asked if asked in hopeful else next(iter(hopeful), "")


def clone(twin: Result, ranked: Iterable[Result], scores: dict[str, Scores]) -> Comparison | None:
    """What the instrument says of a cell and the same cell again; None if the original was not measured."""
    for each in ranked:
        if each.cell == twin.cell.model_copy(update={"replica": 0}):
            return compare_all({each.label: scores[each.cell.id], twin.label: scores[twin.cell.id]})[0]
    return None


def score(records: Iterable[JobRecord]) -> Scores:
    """Log seconds per call of each block's process, of measured jobs alone."""
    reports = {
        record.spec.block: record.report
        for record in records
        if record.outcome == "measured" and record.report is not None
    }
    return Scores(
        floor={block: floor(report) for block, report in reports.items()},
        typical={block: typical(report) for block, report in reports.items()},
    )


def floor(report: Report) -> float:
    """Log seconds per call of the process's fastest sample: the estimator that varies least between processes."""
    return math.log(min(report.samples_ns) / report.calls / 1e9)


def typical(report: Report) -> float:
    """Log seconds per call of the process's median sample."""
    return math.log(statistics.median(report.samples_ns) / report.calls / 1e9)


def first_result_ns(report: Report) -> int:
    """From the finished model to its first result: tracing or compiling, and the first call."""
    return sum(cost.wall_ns for cost in report.phases if cost.name in BEFORE_FIRST_RESULT)


def enough(spec: SweepSpec, cells: Sequence[Cell], records: Sequence[JobRecord], block: int) -> bool:
    """Whether every group has reached the precision that was asked for. Significance plays no part."""
    return all(
        should_stop(block, each.comparisons, spec.stop.precision, baseline=each.baseline)
        for each in groups(records, cells, spec.baseline)
    )
