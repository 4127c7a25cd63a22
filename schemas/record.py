"""JobRecord: the record of one job on disk, whatever its outcome. Manifest: the description of its run."""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from schemas.base import Model, NonNegativeInt, PositiveInt, Versioned
from schemas.environment import EnvironmentRecord
from schemas.event import Breach, Exported, PhaseName, Profiled, Report
from schemas.job import Cell, JobSpec
from schemas.sweep import Stop, SweepSpec

Outcome = Literal[
    "measured",
    "exported",
    "profiled",
    "wrong",
    "unfair",
    "implausible",
    "recompiled",
    "nonlinear",
    "overhead-dominated",
    "unsupported",
    "raised",
    "timeout",
    "killed",
    "stopped",
    "out-of-memory",
    "limit-reached",
    "garbled",
    "no-report",
    "skipped",
    "interrupted",
    "orchestrator-lost",
]


Unlimited = Literal["unlimited"]


class Host(Model):
    """The machine, in everything that affects times. None: the system does not report it.

    `packages` are versions; `installed` has the hash of each package's files, from its installer's list. `cores` are
    those that this process may use; `logical_cores` and `physical_cores` are all that are online. A limit is the
    tightest of all cgroups that contain the process.
    """

    cpu: str
    cores: PositiveInt
    memory_bytes: PositiveInt
    system: str
    python: str
    variables: dict[str, str] = {}
    packages: dict[str, str] = {}
    installed: dict[str, str] | None = None

    microcode: str | None = None
    cpu_flags: tuple[str, ...] | None = None
    sockets: PositiveInt | None = None
    logical_cores: PositiveInt | None = None
    physical_cores: PositiveInt | None = None
    usable_physical_cores: PositiveInt | None = None
    smt: bool | None = None
    l1d_bytes: PositiveInt | None = None
    l2_bytes: PositiveInt | None = None
    l3_bytes: PositiveInt | None = None

    kernel: str | None = None
    hypervisor: str | None = None
    clocksource: str | None = None
    governor: str | None = None
    turbo: bool | None = None
    huge_pages: str | None = None
    aslr: NonNegativeInt | None = None

    affinity: tuple[NonNegativeInt, ...] | None = None
    cgroup: Literal["v1", "v2"] | None = None
    cpu_quota: PositiveFloat | Unlimited | None = None
    memory_limit_bytes: NonNegativeInt | Unlimited | None = None
    swap_bytes: NonNegativeInt | None = None

    gpus: tuple[str, ...] | None = None
    gpu_driver: str | None = None

    @property
    def content_hash(self) -> str:
        """Return eight hexadecimal digits of the SHA-256 of all that affects times: equal for equal conditions.

        Unknown values do not count, so that a field added in a later version keeps the hashes of older records.
        """
        felt = self.model_dump(mode="json", exclude=TIME_NEUTRAL_FIELDS, exclude_none=True)
        return hashlib.sha256(json.dumps(felt, sort_keys=True).encode()).hexdigest()[:8]


# Fields of a Host without effect on times. Memory sizes vary from boot to boot, and a computation that fits does not
# notice them. Pydantic parses Plumbline's messages, and takes no part in a measurement.
TIME_NEUTRAL_FIELDS: dict[str, bool | set[str]] = {
    "memory_bytes": True,
    "memory_limit_bytes": True,
    "swap_bytes": True,
    "packages": {"pydantic"},
    "installed": {"pydantic"},
}


class JobObservation(Model):
    """The job as observed by its parent. `spawn_to_end_ns` runs from before the spawn to after the reaping.

    The cgroup's counters are null where the job had no separate cgroup, or the cgroup does not report them.
    """

    started: str
    spawn_to_end_ns: NonNegativeInt
    exit_status: int | None
    last_phase: PhaseName | None
    load_before: float
    obstacle: str = Field(default="", description="why a job that was to be forked from a template started fresh")
    looks: NonNegativeInt = Field(default=0, description="number of readings of its memory by the parent")
    resident_peak_bytes: NonNegativeInt = Field(default=0, description="highest reading, all its processes together")
    resident_last_bytes: NonNegativeInt = Field(default=0, description="last reading")
    memory_limit: Literal["job", "process"] | None = Field(
        default=None, description="scope of its memory limit: the job and each process, or only each process"
    )
    control_group: Literal["v1", "v2"] | None = Field(
        default=None, description="interface version of its cgroup; null: it had no separate cgroup"
    )
    group_peak_bytes: NonNegativeInt | None = Field(
        default=None, description="peak charged to its cgroup, including files that it was the first to read"
    )
    group_kills: NonNegativeInt | None = Field(
        default=None, description="number of its processes that the kernel killed because they ran out of memory"
    )
    group_refusals: NonNegativeInt | None = Field(
        default=None, description="number of times that the kernel refused it another process or thread"
    )
    stopped_ns: NonNegativeInt = Field(default=0, description="for which a signal had stopped it, before it went on")
    suspended_ns: NonNegativeInt = Field(
        default=0, description="for which the whole machine slept; no other time includes that"
    )
    cpu_ns: NonNegativeInt | None = Field(
        default=None, description="CPU time of its process by the kernel's account, without children; null: not read"
    )


Result = Annotated[Report | Exported | Profiled, Field(discriminator="kind")]

# The outcome of a job that succeeds and the kind of its result, by the kind of its purpose.
SUCCESSES: dict[str, tuple[Outcome, str]] = {
    "measure": ("measured", "report"),
    "export": ("exported", "exported"),
    "profile": ("profiled", "profiled"),
    "reference": ("exported", "exported"),
}


class JobSummary(Model):
    """The figures of one job that a person looks for first, derived from the rest of its record.

    Times are nanoseconds per call in this one process, whose samples say nothing about other processes. Null: the job
    did not measure it.
    """

    text: str = Field(description="the figures below in words")
    cell: str = Field(description="mode and computation, in words")
    fastest_ns: float | None = Field(default=None, description="the fastest sample: the floor of this process")
    median_ns: float | None = Field(default=None, description="the median sample")
    median_low_ns: float | None = Field(default=None, description="low end of the median's 95 % interval over samples")
    median_high_ns: float | None = Field(default=None, description="high end of that interval")
    slowest_ns: float | None = Field(default=None, description="the slowest sample")
    samples: NonNegativeInt = Field(default=0, description="number of samples")
    first_result_ns: float | None = Field(default=None, description="from the finished model to its first result")
    step_peak_bytes: NonNegativeInt | None = Field(default=None, description="memory that a call adds at its peak")
    footprint_bytes: NonNegativeInt | None = Field(default=None, description="peak of the whole process during calls")
    flags: tuple[str, ...] = Field(default=(), description="disturbances that this job alone shows")
    machine_type: str = Field(default="", description="type of the machine that ran it, with the hash of the type")


class Placement(Model):
    """The part of a run on several machines to which a job belongs: an attempt at a share, on one node."""

    node: str = Field(min_length=1, max_length=255)
    share: PositiveInt
    attempt: PositiveInt


class JobRecord(Versioned):
    """The record of one job: its outcome, its request and its result."""

    outcome: Outcome
    reason: str = ""
    advice: str = ""
    summary: JobSummary | None = Field(
        default=None, description="for people; derived from the other fields, and ignored when a record is read"
    )
    spec: JobSpec
    result: Result | None = Field(
        default=None, description="a failed job may have one too: of a wrong cell, the report is kept"
    )
    outside: JobObservation | None = Field(default=None, description="null: the job was not started, or was lost")
    host: Host
    freeze: str = Field(default="", description="hash of the job's environment; the manifest describes it in full")
    breach: Breach = Field(
        default="", description="the part of a workload that breaks its contract, so that no job with it is started"
    )
    placement: Placement | None = Field(
        default=None, description="node and share of a run on several machines; null: a run on one machine"
    )

    @property
    def report(self) -> Report | None:
        """The measurements, if the job sent them."""
        return self.result if isinstance(self.result, Report) else None

    @field_validator("summary", mode="before")
    @classmethod
    def _forget_summary(cls, _: object) -> None:
        # Whoever edits a record must not be able to edit its figures apart from its samples.
        return None

    @model_validator(mode="after")
    def _check_result(self) -> "JobRecord":
        success, kind = SUCCESSES[self.spec.purpose.kind]
        found = self.result.kind if self.result else "nothing"
        if found not in ("nothing", kind):
            raise ValueError(f"a job of the purpose {self.spec.purpose.kind} cannot result in {found}")
        successes = {outcome for outcome, _ in SUCCESSES.values()}
        if self.outcome in successes and (self.outcome != success or found == "nothing"):
            raise ValueError(f"a job of the purpose {self.spec.purpose.kind} is not {self.outcome} with {found}")
        return self


class Identity(Model):
    """SHA-256 hashes, in hexadecimal, of what must not change while a run is interrupted."""

    sweep: str
    """Hash of the request, the random seed and the resulting cells."""
    code: str
    """Hash of the source of workers/ and schemas/."""


class Extension(Model):
    """A change of the conditions that end a run, made by `resume` after the run had ended or stopped.

    `stop` are the conditions before. A pair had `blocks` by then. `least_blocks` are run whatever the budget and the
    precision.
    """

    when: str
    stop: Stop
    blocks: NonNegativeInt
    least_blocks: NonNegativeInt = 0


Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class Manifest(Versioned):
    """The description of one run: the request, the resulting cells, the machine and the start.

    `stopped` is the reason why it ended; empty: it has not. `finished`: `resume` has nothing left to do. `mixed` lists
    what had changed when the run was resumed anyway: its parts were measured under different conditions.
    `environments` are those of its jobs, by name, as they were at the start. `cores` are those of its workers, the one
    of the first thread first.
    """

    name: str
    started: str
    command: tuple[str, ...]
    sweep: SweepSpec
    seed: NonNegativeInt
    cells: tuple[Cell, ...]
    host: Host
    environments: dict[str, EnvironmentRecord] = {}
    warnings: tuple[str, ...] = ()
    cores: tuple[NonNegativeInt, ...] = ()
    stopped: str = ""
    finished: bool = False
    identity: Identity | None = None
    mixed: tuple[str, ...] = ()
    extensions: tuple[Extension, ...] = Field(default=(), description="changes of `sweep.stop`, the oldest first")
    commits: dict[str, Commit] = Field(
        default={}, description="commit of each user's workload whose folder was in a git checkout, as the run began"
    )

    @property
    def original_sweep(self) -> SweepSpec:
        """The request as the run was begun, before any extension."""
        return self.sweep.model_copy(update={"stop": self.extensions[0].stop}) if self.extensions else self.sweep
