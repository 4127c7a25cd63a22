"""From records to results: cell by cell, in the groups within which times may be compared."""

import dataclasses
import functools
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.analysis.allocation import Allocation, allocation
from orchestrator.analysis.compare import MARGIN, Comparison, Scores, Standing, compare_all, should_stop, standings
from orchestrator.analysis.curve import Curve, curve, first_result_ns
from orchestrator.analysis.disturbance import Flag, Grade, canary_floor_ns, drifting, flags, grade, undisturbed
from orchestrator.analysis.memory import over_processes
from orchestrator.analysis.memory import scores as memory_scores
from orchestrator.analysis.naming import labels, title
from orchestrator.analysis.pairing import Sampling
from orchestrator.analysis.portability import Portable, portable
from orchestrator.analysis.shapes import NewShapes, new_shapes
from orchestrator.analysis.statistics import LOOKS, Interval, median_interval, percentile
from orchestrator.analysis.steady import Steady, classify
from orchestrator.attempts import last_attempts
from orchestrator.judge import REDONE, TRIES
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord, Outcome
from schemas.sweep import MemoryMetric, RankBy, SweepSpec

Steadiness = Literal["flat", "warm-up", "slow-down", "none", "mixed", "unknown"]
AGREEING = 0.9
"""So many of a cell's processes must be steady in the same way, or the cell is labelled."""

DECIDING: tuple[Outcome, ...] = (
    "wrong",
    "unfair",
    "implausible",
    "recompiled",
    "overhead-dominated",
    "unsupported",
    "measured",
)
"""Of several outcomes of one cell, the first of these that occurred speaks for it; otherwise the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One cell over all its processes, of which there may be none yet: then there is no outcome.

    Times are nanoseconds per call, with intervals over processes. `first_ns` is from the finished model to its first
    result, `steady_ns` from there until calls are steady. `percentiles_ns` are of samples, pooled over all processes.
    `overhead_ns` is what the timing loop itself takes for each call; no other time has it taken off. `allocation` says
    whether samples and processes were in a good proportion; None: too little is known. `label` is what a person calls
    the cell among those that it is shown with.
    """

    cell: Cell
    label: str
    jobs: int
    outcome: Outcome | None
    reason: str
    advice: str
    floor_ns: Interval
    typical_ns: Interval
    first_ns: Interval
    second_ns: Interval
    steady_ns: Interval
    steadiness: Steadiness
    percentiles_ns: Mapping[str, float | None]
    overhead_ns: float
    memory: Mapping[MemoryMetric, Interval]
    grade: Grade
    flags: frozenset[Flag]
    warnings: tuple[str, ...]
    allocation: Allocation | None
    new_shapes: NewShapes | None
    portable: Portable | None
    referee: str = ""
    """The framework whose implementation in float64 its results were held to; empty: an independent reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRanking:
    """The same cells ranked by a headline of memory; `comparisons` hold ratios of bytes, and claims are of less."""

    metric: MemoryMetric
    comparisons: tuple[Comparison, ...]
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cells that compute the same, and what may be said of them together.

    `curves` are those of the ranked cells' processes, by label and block. `by_memory` is there if it was asked for.
    """

    title: str
    baseline: str
    results: tuple[Result, ...]
    comparisons: tuple[Comparison, ...]
    standings: tuple[Standing, ...]
    clone: Comparison | None
    curves: Mapping[str, Mapping[int, Curve]]
    by_memory: MemoryRanking | None

    @property
    def against(self) -> dict[str, Comparison]:
        """Each cell's comparison with the baseline, by label."""
        every = [*self.comparisons, *(comparison.flipped() for comparison in self.comparisons)]
        return {comparison.cell: comparison for comparison in every if comparison.baseline == self.baseline}

    @property
    def referee(self) -> str:
        """The framework that results were held to for want of an independent reference; empty: there is one."""
        return next((result.referee for result in self.results if result.referee), "")

    def result(self, label: str) -> Result:
        """The result of that label."""
        return next(result for result in self.results if result.label == label)


def groups(
    records: Sequence[JobRecord],
    cells: Sequence[Cell],
    baseline: str | None = None,
    margin: float = MARGIN,
    rank_by: RankBy = "time",
) -> tuple[Group, ...]:
    """Results of all cells, in the order of the plan, grouped by what they compute."""
    of_cell, records = defaultdict(list), last_attempts(records)
    for record in counted(records):
        of_cell[record.spec.cell.id].append(record)
    together, canary_ns, called = defaultdict(list), canary_floor_ns(records), labels(cells)
    for cell in cells:
        together[title(cell)].append(result(cell, of_cell[cell.id], canary_ns, called[cell.id]))
    scores = {cell.id: score(of_cell[cell.id]) for cell in cells}
    spent = {cell.id: curves(of_cell[cell.id]) for cell in cells}
    found = (group(name, results, scores, spent, baseline, margin) for name, results in together.items())
    if rank_by == "time":
        return tuple(found)
    return tuple(dataclasses.replace(each, by_memory=by_memory(each, of_cell, rank_by, margin)) for each in found)


def counted(records: Iterable[JobRecord]) -> Iterator[JobRecord]:
    """The records that say something of a cell: one that has filled its cache was not warm itself."""
    return (record for record in records if record.spec.block > 0 or record.outcome != "measured")


def result(cell: Cell, records: Sequence[JobRecord], canary_ns: float, label: str = "") -> Result:
    """One cell's result from its records, of which there may be none yet."""
    speaker = speaking(records)
    if speaker is not None and speaker.outcome == "measured":
        records = [record for record in records if record.outcome == "measured"]
    reports = [record.report for record in records if record.report is not None]
    traces = [of_laps(report.warmup) for report in reports]
    flagged = [flags(record, canary_ns) for record in records if record.report is not None]
    drift = drifting([floor(report) for report in reports])
    return Result(
        cell=cell,
        label=label or cell.label,
        jobs=len(records),
        outcome=speaker.outcome if speaker else None,
        reason=speaker.reason if speaker else "",
        advice=speaker.advice if speaker else "",
        floor_ns=median_interval([math.exp(floor(report)) * 1e9 for report in reports]),
        typical_ns=median_interval([math.exp(typical(record)) * 1e9 for record in records if record.report]),
        first_ns=median_interval([first_result_ns(report) for report in reports]),
        second_ns=median_interval([report.warmup[1][1] for report in reports]),
        steady_ns=median_interval(
            [ns for pair in zip(reports, traces, strict=True) if (ns := to_steady_ns(*pair)) is not None]
        ),
        steadiness=steadiness(traces),
        percentiles_ns=percentiles(reports),
        overhead_ns=statistics.median([report.overhead.null_ns for report in reports]) if reports else math.nan,
        memory=over_processes(reports),
        grade=grade(flagged, drift=drift),
        flags=frozenset().union(*flagged, {Flag.DRIFT} if drift else ()),
        warnings=tuple(dict.fromkeys(warning for report in reports for warning in report.warnings)),
        allocation=allocation(records),
        new_shapes=new_shapes(reports),
        portable=portable(records),
        referee=next((report.verification.referee for report in reports), ""),
    )


@functools.lru_cache(maxsize=10_000)
def of_laps(laps: tuple[tuple[int, int], ...]) -> Steady:
    """The classification of one warm-up trace: asked for again after each job, and costly."""
    return classify([took / calls for calls, took in laps])


def speaking(records: Sequence[JobRecord]) -> JobRecord | None:
    """The record whose outcome is the cell's: a cell that was given up on is not measured, whatever it did before."""
    failed = [record for record in records if record.outcome not in {*DECIDING, *REDONE, "skipped"}]
    if len(failed) >= TRIES:
        return failed[-1]
    for outcome in DECIDING:
        for record in records:
            if record.outcome == outcome:
                return record
    return records[-1] if records else None


def group(
    name: str,
    results: Sequence[Result],
    scores: dict[str, Scores],
    spent: Mapping[str, Mapping[int, Curve]],
    baseline: str | None,
    margin: float,
) -> Group:
    """Compare the measured cells of one group with each other, and the A/A clone with its original."""
    ranked = [each for each in results if each.outcome == "measured" and not each.cell.replica]
    twins = [each for each in results if each.outcome == "measured" and each.cell.replica]
    barred = {each.label for each in ranked if each.grade == "C"}
    comparisons = compare_all({each.label: scores[each.cell.id] for each in ranked}, margin=margin, barred=barred)
    labels = [each.label for each in ranked]
    return Group(
        title=name,
        baseline=choose_baseline(results, baseline),
        results=tuple(results),
        comparisons=comparisons,
        standings=standings(labels, comparisons),
        clone=clone(twins[0], ranked, scores, margin) if twins else None,
        curves={each.label: spent[each.cell.id] for each in ranked},
        by_memory=None,
    )


def by_memory(
    group: Group, records: Mapping[str, Sequence[JobRecord]], metric: MemoryMetric, margin: float
) -> MemoryRanking:
    """Rank a group's measured cells by a headline of memory, with the same statistics as times."""
    reports = {
        standing.cell: dict(blocks(counting(records[group.result(standing.cell).cell.id])))
        for standing in group.standings
    }
    found = {label: memory_scores(of_block, metric) for label, of_block in reports.items()}
    comparisons = compare_all({label: Scores(of, of) for label, of in found.items() if of}, margin=margin)
    return MemoryRanking(
        metric=metric,
        comparisons=comparisons,
        standings=standings([label for label in found if found[label]], comparisons),
    )


def blocks(counted: Iterable[tuple[JobRecord, Report]]) -> Iterator[tuple[int, Report]]:
    """Each report under its block."""
    return ((record.spec.block, report) for record, report in counted)


def choose_baseline(results: Sequence[Result], asked: str | None) -> str:
    """The mode that was asked for, or else the first that was measured or still may be."""
    hopeful = [each.label for each in results if each.outcome in ("measured", None) and not each.cell.replica]
    return asked if asked in hopeful else next(iter(hopeful), "")


def clone(twin: Result, ranked: Iterable[Result], scores: dict[str, Scores], margin: float) -> Comparison | None:
    """What the instrument says of a cell and the same cell again; None if the original was not measured."""
    for each in ranked:
        if each.cell == twin.cell.model_copy(update={"replica": 0}):
            return compare_all({each.label: scores[each.cell.id], twin.label: scores[twin.cell.id]}, margin=margin)[0]
    return None


def score(records: Iterable[JobRecord]) -> Scores:
    """Log seconds per call of each block's process, of those that count."""
    counted = tuple(counting(records))
    return Scores(
        floor={record.spec.block: floor(report) for record, report in counted},
        typical={record.spec.block: typical(record) for record, _ in counted},
        sampling={record.spec.block: sampling(record, report) for record, report in counted},
    )


def sampling(record: JobRecord, report: Report) -> Sampling:
    """How a process was sampled: the samples that it took, and how long each was meant to be."""
    return Sampling(len(report.samples_ns), record.spec.timing.sample_ns, slow=report.calls == 1)


def curves(records: Iterable[JobRecord]) -> dict[int, Curve]:
    """What each block's process had spent after so many calls, of those that count."""
    return {
        record.spec.block: curve(
            report,
            of_laps(report.warmup).start,
            floor_ns=math.exp(floor(report)) * 1e9,
            typical_ns=math.exp(typical(record)) * 1e9,
        )
        for record, report in counting(records)
    }


def counting(records: Iterable[JobRecord]) -> Iterator[tuple[JobRecord, Report]]:
    """The measured jobs with their reports; one that a quota stopped is no measure."""
    for record in records:
        if record.outcome == "measured" and record.report is not None and not record.report.noise.throttled:
            yield record, record.report


def floor(report: Report) -> float:
    """Log seconds per call of the process's fastest sample: the estimator that varies least between processes."""
    return math.log(min(report.samples_ns) / report.calls / 1e9)


def typical(record: JobRecord) -> float:
    """Log seconds per call of the process's median sample among those that nothing disturbed."""
    report = record.report
    assert report is not None
    quiet = undisturbed(report, len(record.spec.cpus) or record.host.cores)
    return math.log(statistics.median(report.samples_ns[index] for index in quiet) / report.calls / 1e9)


def to_steady_ns(report: Report, found: Steady) -> float | None:
    """From the first result until calls were steady; None if they never were."""
    return None if found.kind == "none" else sum(took for _, took in report.warmup[1 : found.start])


def steadiness(traces: Sequence[Steady]) -> Steadiness:
    """The class of nine processes in ten; `mixed` if there is none, `unknown` without any process."""
    kinds = Counter(found.kind for found in traces)
    if not kinds:
        return "unknown"
    kind, count = kinds.most_common(1)[0]
    settled = kinds["flat"] + kinds["warm-up"]
    if settled >= AGREEING * len(traces):
        return "flat" if kinds["flat"] >= AGREEING * len(traces) else "warm-up"
    return kind if count >= AGREEING * len(traces) else "mixed"


def percentiles(reports: Sequence[Report]) -> dict[str, float | None]:
    """Percentiles of the time per call of samples, where there are enough of them to speak of a tail."""
    pooled = [sample / report.calls for report in reports for sample in report.samples_ns]
    return {f"p{q}": percentile(pooled, q) if pooled else None for q in (50, 90, 99)}


def enough(spec: SweepSpec, cells: Sequence[Cell], records: Sequence[JobRecord], block: int) -> bool:
    """Whether every group has reached the precision that was asked for. Significance plays no part."""
    if block not in LOOKS and block < LOOKS[-1]:
        return False
    return all(
        should_stop(block, each.comparisons, spec.stop.precision, baseline=each.baseline)
        for each in groups(records, cells, spec.baseline, spec.margin)
    )
