"""The events that a running sweep publishes."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.event import Event
from schemas.job import Cell, JobSpec
from schemas.record import JobRecord


@dataclass(frozen=True, slots=True)
class BlockStarted:
    """A block starts, with these cells in this order."""

    block: int
    order: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class BlockEnded:
    """A block has ended: each of its jobs has its last record."""

    block: int


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A job starts."""

    spec: JobSpec


@dataclass(frozen=True, slots=True)
class JobEventReceived:
    """The running job sent an event."""

    event: Event


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job has ended and its record is on disk."""

    record: JobRecord


@dataclass(frozen=True, slots=True)
class UnmeasuredJobEnded:
    """A job that measures nothing has ended: an export, the expected results, or a profile."""

    record: JobRecord


@dataclass(frozen=True, slots=True)
class JobRestored:
    """A job of an earlier part of this run, restored from its record on disk."""

    record: JobRecord


@dataclass(frozen=True, slots=True)
class SweepPaused:
    """The user has paused the sweep: no job starts until it continues."""


@dataclass(frozen=True, slots=True)
class SweepContinued:
    """The sweep continues after a pause of `paused_s` seconds."""

    paused_s: float


SweepEvent = (
    BlockStarted
    | BlockEnded
    | JobStarted
    | JobEventReceived
    | JobEnded
    | UnmeasuredJobEnded
    | JobRestored
    | SweepPaused
    | SweepContinued
)
