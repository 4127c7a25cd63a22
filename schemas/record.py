"""JobRecord: what one job leaves on disk, whatever happened to it. Manifest: what its run was."""

import hashlib
import json
from typing import Literal

from pydantic import Field, PositiveFloat

from schemas.base import Model, NonNegativeInt, PositiveInt, Versioned
from schemas.environment import EnvironmentRecord
from schemas.event import Exported, PhaseName, Profiled, Report
from schemas.job import Cell, JobSpec
from schemas.sweep import SweepSpec

Outcome = Literal[
    "measured",
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
    """The machine, as far as a time depends on it. None: the system does not say.

    `packages` are versions; `installed` has for each the hash of its files, by the list that its installer left.
    `cores` are those that this process may use, `logical_cores` and `physical_cores` all that are online. A limit is
    the tightest of all control groups around the process.
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
        """Eight hexadecimal digits of the SHA-256 of all that a time depends on: equal for equal conditions.

        What is unknown does not count, so that a field of a later version leaves the hashes of older records alone.
        """
        felt = self.model_dump(mode="json", exclude=UNFELT, exclude_none=True)
        return hashlib.sha256(json.dumps(felt, sort_keys=True).encode()).hexdigest()[:8]


UNFELT: dict[str, bool | set[str]] = {
    "memory_bytes": True,
    "memory_limit_bytes": True,
    "swap_bytes": True,
    "packages": {"pydantic"},
    "installed": {"pydantic"},
}
"""Of a Host: sizes that a computation which fits does not feel, and that vary from boot to boot; and our own parser."""


class Outside(Model):
    """The job as its parent saw it. `spawn_to_end_ns` runs from before the spawn to after the reaping.

    What its control group counted is null where the job had none of its own, or that does not say.
    """

    started: str
    spawn_to_end_ns: NonNegativeInt
    exit_status: int | None
    last_phase: PhaseName | None
    load_before: float
    looks: NonNegativeInt = Field(default=0, description="how often its memory was looked at from outside")
    resident_peak_bytes: NonNegativeInt = Field(default=0, description="the most seen at a look, all its processes")
    resident_last_bytes: NonNegativeInt = Field(default=0, description="at the last look")
    memory_limit: Literal["job", "process"] | None = Field(
        default=None, description="what its limit of memory held for: the job and each process, or only each process"
    )
    control_group: Literal["v1", "v2"] | None = Field(
        default=None, description="the version of the interface through which it had a control group of its own"
    )
    group_peak_bytes: NonNegativeInt | None = Field(
        default=None, description="the most that was charged to its group, with files that it was the first to read"
    )
    group_kills: NonNegativeInt | None = Field(
        default=None, description="processes of it that the kernel ended for want of memory"
    )
    group_refusals: NonNegativeInt | None = Field(
        default=None, description="how often the kernel refused it one more process or thread"
    )


class JobRecord(Versioned):
    """One job's whole story: asked, happened, measured."""

    spec: JobSpec
    outcome: Outcome
    reason: str = ""
    advice: str = ""
    report: Report | None = None
    outside: Outside | None = None
    host: Host
    freeze: str = Field(default="", description="of the cell's environment, which the manifest has in full")


class ExportRecord(Versioned):
    """One export's whole story. Its spec is that of the cell's jobs, with the place to write the artefact to."""

    spec: JobSpec
    outcome: Outcome | Literal["exported"]
    reason: str = ""
    advice: str = ""
    exported: Exported | None = None
    outside: Outside
    host: Host
    freeze: str = Field(default="", description="of the environment that exported")


class ProfileRecord(Versioned):
    """One look at what a cell's calls are made of. Its spec is that of the cell's jobs, with a place for the trace."""

    spec: JobSpec
    outcome: Outcome | Literal["profiled"]
    reason: str = ""
    advice: str = ""
    profiled: Profiled | None = None
    outside: Outside
    host: Host


class Identity(Model):
    """What must not change between the first half of a run and the second: SHA-256 of each, in hexadecimal."""

    sweep: str
    """Of what was asked, the random seed and the cells that it came to."""
    code: str
    """Of the source of workers/ and schemas/."""


class Manifest(Versioned):
    """One run: what was asked, what it came to, where and when.

    `stopped` says why it ended; empty: it has not. `finished`: nothing is left that `resume` could do. `mixed` says
    what had changed when the run was resumed all the same: its numbers are not of one piece. `environments` are all in
    which its jobs run, by name, as they were when it began.
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
    stopped: str = ""
    finished: bool = False
    identity: Identity | None = None
    mixed: tuple[str, ...] = ()
