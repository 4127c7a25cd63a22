"""A process as the analysis sees it: everything that any result needs of one job, derived from its record once.

Whoever looks at one job reads its record. Whatever compares many works on these, so that the records of a large run
need not be in memory together, nor be evaluated again by each question.
"""

import statistics
import weakref
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeAlias, TypeVar

from pydantic import TypeAdapter

from orchestrator.analysis.derivation.disturbance import Flag, find_own_flags, is_bounded_by_cpu_time
from orchestrator.analysis.derivation.generation import LoopCalls, derive_generation
from orchestrator.analysis.derivation.memory import compute_memory_metrics, measure_growth_per_call, measure_slope
from orchestrator.analysis.derivation.percentiles import find_percentiles
from orchestrator.analysis.derivation.samples import (
    classify_laps,
    compute_floor_ns,
    compute_least_floor_ns,
    compute_typical_ns,
    count_undisturbed_samples,
    sort_log_samples,
)
from orchestrator.analysis.derivation.start_phases import (
    BEFORE_FIRST_RESULT,
    BEFORE_MODEL,
    compute_busy_share,
    first_result_ns,
    sum_least_phases_ns,
    sum_phases_ns,
)
from orchestrator.analysis.derivation.steady_state import Kind
from orchestrator.analysis.derivation.throughput import ServedClients, derive_throughput
from orchestrator.records.store import format_job_name, job_name
from schemas.artefact import Artefact
from schemas.event import NewShape, PhaseCost, Report, TensorCheck
from schemas.job import Cell, Start
from schemas.machine_type import MachineType, identify_type
from schemas.models import Likeness, ModelSource
from schemas.record import Host, JobRecord, Outcome
from schemas.sweep import MemoryMetric


@dataclass(frozen=True, slots=True)
class Figures:
    """The measurements of one process. Times are nanoseconds, and of a call unless something else is said.

    `least_floor_ns` is the floor less what disturbances can have cost. `log_samples` are log seconds per call of all
    samples, ascending. `laps` are those of the warm-up, as a number of calls and the time of all of them in turn; from
    `steady_from` on, calls were steady, at `steady_level_ns`. `before_model_ns` and the next three are of the start: as
    measured, and the least that disturbances leave possible; `busy_share` is the share of the warm-up in which it used
    a core. Percentiles are of single calls. `largest_error` is the largest verified one, with the tolerance of its
    tensor, and `equal_argmax` the mean share of rows whose largest value is where the reference's is. `growth_slope` is
    that of memory, in bytes a call; None: not asked for. `throughput` is empty unless it was. `generation` is None
    where a call is no loop. `phases` and `sketched` are JSON, because they are rarely looked at.
    """

    forked: bool
    throttled: bool
    calls: int
    floor_ns: float
    least_floor_ns: float
    typical_ns: float
    median_ns: float
    log_samples: Sequence[float]
    undisturbed: int
    own_flags: tuple[Flag, ...]
    canary_ns: int | None
    bounded_by_cpu_time: bool
    null_ns: float
    steady: Kind
    steady_from: int
    steady_level_ns: float
    settling_ns: int | None
    second_ns: int
    laps: Sequence[int]
    before_model_ns: int
    least_before_model_ns: int
    first_result_ns: int
    least_first_result_ns: int
    load_ns: int
    busy_share: float
    percentiles: Sequence[float | None]
    memory: Mapping[MemoryMetric, float]
    growth_bytes: float
    growth_slope: float | None
    generation: LoopCalls | None
    throughput: tuple[ServedClients, ...]
    work_flops: int
    work_bytes: int
    peak_flops_per_s: float
    peak_bytes_per_s: float
    compilations: int | None
    versions: Mapping[str, str]
    build_info: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    new_shapes: tuple[NewShape, ...]
    referee: str
    agreement: str
    likeness: Likeness
    largest_error: float | None
    its_tolerance: float | None
    equal_argmax: float | None
    inputs_sha256: str
    is_uneven: bool
    phases: "Text"
    sketched: "Text"


@dataclass(frozen=True, slots=True)
class Process:
    """One job: its place in the run, its outcome, and its measurements; `figures` are None without a report.

    `file` is that of its record. `started` and `took_ns` are None if it did not start. `obstacle` is why a job that was
    to be forked was not. `node` is that of a run on several machines; empty: the run was on one.
    """

    file: str
    cell: Cell
    cell_id: str
    block: int
    position: int
    attempt: int
    outcome: Outcome
    reason: str
    advice: str
    start: Start
    started: str | None
    took_ns: int | None
    obstacle: str
    sample_ns: int
    seed: int
    model: ModelSource | None
    artefact: Artefact | None
    machine: MachineType
    node: str
    figures: Figures | None

    @property
    def name(self) -> str:
        """The name of the job within its run."""
        return format_job_name(self.block, self.cell_id, self.attempt)


class Bytes(Protocol):
    """Bytes that are somewhere else."""

    def as_py(self) -> bytes:
        """Read them."""


@dataclass(frozen=True, slots=True)
class StoredText:
    """A text in a row of a column, which is read when it is looked at."""

    texts: Sequence[Bytes]
    row: int

    def __str__(self) -> str:
        """Read it."""
        return self.texts[self.row].as_py().decode()


Text: TypeAlias = str | StoredText
Job: TypeAlias = JobRecord | Process

PHASES: TypeAdapter[tuple[PhaseCost, ...]] = TypeAdapter(tuple[PhaseCost, ...])
CHECKS: TypeAdapter[tuple[TensorCheck, ...]] = TypeAdapter(tuple[TensorCheck, ...])
NONE_SKETCHED = "[]"

# What was derived of records that are still in memory, by their identity: a sweep in progress asks after each job.
_derived: dict[int, tuple[weakref.ref[JobRecord], Process]] = {}


def derive_processes(jobs: Iterable[Job]) -> list[Process]:
    """Return the processes of these jobs, in their order."""
    return [job if isinstance(job, Process) else derive_process(job) for job in jobs]


def derive_process(job: Job) -> Process:
    """Return what the analysis needs of a job."""
    if isinstance(job, Process):
        return job
    key = id(job)
    known = _derived.get(key)
    if known is not None and known[0]() is job:
        return known[1]
    made = make_process(job)
    _derived[key] = (weakref.ref(job, lambda _: _derived.pop(key, None)), made)
    return made


def make_process(record: JobRecord, file: str = "") -> Process:
    """Derive what the analysis needs of a job from its record, which was read from this file, or is to be its own."""
    spec, outside = record.spec, record.outside
    return Process(
        file=file or f"{job_name(spec)}.json",
        cell=share_value(spec.cell.id, spec.cell),
        cell_id=spec.cell.id,
        block=spec.block,
        position=spec.position,
        attempt=spec.attempt,
        outcome=record.outcome,
        reason=record.reason,
        advice=record.advice,
        start=spec.start,
        started=outside.started if outside else None,
        took_ns=outside.spawn_to_end_ns if outside else None,
        obstacle=outside.obstacle if outside else "",
        sample_ns=spec.timing.sample_ns,
        seed=spec.seed,
        model=spec.model,
        artefact=spec.artefact if spec.cell.origin == "file" else None,
        machine=find_machine_type(record.host),
        node=record.placement.node if record.placement else "",
        figures=_make_figures(record, record.report) if record.report else None,
    )


def _make_figures(record: JobRecord, report: Report) -> Figures:
    trace, checks, noise = classify_laps(report.warmup), report.verification.checks, report.noise
    errors = [(check.error, check.tolerance) for check in checks if check.error is not None]
    worst = max(errors, key=lambda each: each[0], default=(None, None))
    return Figures(
        forked=report.forked,
        throttled=bool(noise.throttled),
        calls=report.calls,
        floor_ns=compute_floor_ns(report),
        least_floor_ns=compute_least_floor_ns(record, report),
        typical_ns=compute_typical_ns(record),
        median_ns=statistics.median(report.samples_ns) / report.calls,
        log_samples=sort_log_samples(report),
        undisturbed=count_undisturbed_samples(record, report),
        own_flags=tuple(sorted(find_own_flags(record, report))),
        canary_ns=min(noise.canary_ns, default=None),
        bounded_by_cpu_time=is_bounded_by_cpu_time(record),
        null_ns=report.overhead.null_ns,
        steady=trace.kind,
        steady_from=trace.start,
        steady_level_ns=trace.level_ns,
        settling_ns=None if trace.kind == "none" else sum(took for _, took in report.warmup[1 : trace.start]),
        second_ns=report.warmup[1][1],
        laps=array("q", (number for lap in report.warmup for number in lap)),
        before_model_ns=sum_phases_ns(report, BEFORE_MODEL),
        least_before_model_ns=sum_least_phases_ns(report, BEFORE_MODEL),
        first_result_ns=first_result_ns(report),
        least_first_result_ns=sum_least_phases_ns(report, BEFORE_FIRST_RESULT),
        load_ns=sum_phases_ns(report, ("load",)),
        busy_share=compute_busy_share(report),
        percentiles=find_percentiles(report),
        memory=compute_memory_metrics(report),
        growth_bytes=measure_growth_per_call(report),
        growth_slope=measure_slope(report.growth) if report.growth else None,
        generation=derive_generation(report.generation),
        throughput=derive_throughput(report),
        work_flops=report.work.flops,
        work_bytes=report.work.bytes,
        peak_flops_per_s=report.ceiling.flops_per_s,
        peak_bytes_per_s=report.ceiling.bytes_per_s,
        compilations=report.compilations,
        versions=share_value(f"versions of {record.spec.cell.id}", report.versions),
        build_info=report.build_info,
        warnings=report.warnings,
        notes=report.notes,
        new_shapes=report.new_shapes,
        referee=report.verification.referee,
        agreement=report.verification.agreement,
        likeness=share_value(f"likeness of {record.spec.cell.id}", report.verification.likeness),
        largest_error=worst[0],
        its_tolerance=worst[1],
        equal_argmax=compute_mean(check.equal_argmax for check in checks),
        inputs_sha256=report.inputs_sha256,
        is_uneven=report.is_uneven,
        phases=PHASES.dump_json(report.phases, exclude={"__all__": {"spans"}}).decode(),
        sketched=_dump_sketched(checks),
    )


def compute_mean(shares: Iterable[float | None]) -> float | None:
    """Return the mean of the shares that are known; None if none is."""
    known = [share for share in shares if share is not None]
    return statistics.fmean(known) if known else None


def _dump_sketched(checks: Sequence[TensorCheck]) -> str:
    found = tuple(each for each in checks if each.scale)
    return CHECKS.dump_json(found).decode() if found else NONE_SKETCHED


def sort_processes(processes: Iterable[Process]) -> tuple[Process, ...]:
    """Return processes by block, position and attempt."""
    return tuple(sorted(processes, key=lambda each: (each.block, each.position, each.attempt)))


def select_last_attempts(jobs: Iterable[Job]) -> list[Process]:
    """Keep the last attempt at each job, in the order in which the jobs began."""
    latest: dict[tuple[int, str], Process] = {}
    for process in derive_processes(jobs):
        key = (process.block, process.cell_id)
        if key not in latest or latest[key].attempt <= process.attempt:
            latest[key] = process
    return list(latest.values())


def list_laps(figures: Figures) -> list[tuple[int, int]]:
    """Return the laps of a process's warm-up, each with its number of calls and the time of all of them."""
    return list(zip(figures.laps[::2], figures.laps[1::2], strict=True))


def read_phases(figures: Figures) -> tuple[PhaseCost, ...]:
    """Return the costs of a process's phases, in their order."""
    return PHASES.validate_json(str(figures.phases))


def read_sketches(figures: Figures) -> tuple[TensorCheck, ...]:
    """Return the sketched checks of a process; there may be none."""
    return CHECKS.validate_json(text) if (text := str(figures.sketched)) != NONE_SKETCHED else ()


T = TypeVar("T")

# Values that processes share, by what they are of, so that not each has its own copy.
MAX_SHARED = 50_000
_shared: dict[str, object] = {}


def share_value(key: str, value: T) -> T:
    """Return an equal value that another process has already, or else this one."""
    known = _shared.get(key)
    if known == value and isinstance(known, type(value)):
        return known
    if len(_shared) >= MAX_SHARED:
        _shared.clear()
    _shared[key] = value
    return value


def find_machine_type(host: Host) -> MachineType:
    """Return the type of a machine, found once for all records of it."""
    return _identify_dumped(host.model_dump_json())


@lru_cache(maxsize=64)
def _identify_dumped(host: str) -> MachineType:
    return identify_type(Host.model_validate_json(host))
