"""JobRecord: what one job leaves on disk, whatever happened to it. Manifest: what its run was."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from schemas.base import Model, Versioned
from schemas.event import PhaseName, Report
from schemas.job import Cell, JobSpec
from schemas.sweep import SweepSpec

Outcome = Literal[
    "measured", "wrong", "unfair", "implausible", "recompiled", "nonlinear", "overhead-dominated", "unsupported",
    "raised",    "timeout", "killed", "out-of-memory",
    "garbled", "no-report", "interrupted",
]  # fmt: skip


class Host(Model):
    """The machine, as far as a time depends on it."""

    cpu: str
    cores: PositiveInt
    memory_bytes: PositiveInt
    system: str
    python: str
    variables: dict[str, str] = {}


class Outside(Model):
    """The job as its parent saw it. `spawn_to_end_ns` runs from before the spawn to after the reaping."""

    started: str
    spawn_to_end_ns: NonNegativeInt
    exit_status: int | None
    last_phase: PhaseName | None
    load_before: float


class JobRecord(Versioned):
    """One job's whole story: asked, happened, measured."""

    spec: JobSpec
    outcome: Outcome
    reason: str = ""
    advice: str = ""
    report: Report | None = None
    outside: Outside | None = None
    host: Host


class Manifest(Versioned):
    """One run: what was asked, what it came to, where and when. `stopped` says why it ended; empty: it has not."""

    name: str
    started: str
    command: tuple[str, ...]
    sweep: SweepSpec
    seed: NonNegativeInt
    cells: tuple[Cell, ...]
    host: Host
    warnings: tuple[str, ...] = ()
    stopped: str = ""
