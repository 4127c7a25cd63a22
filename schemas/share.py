"""The documents of a share: the request that a node receives, its lease, its closed blocks and its end."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.base import Model, NonNegativeInt, PositiveInt, Versioned
from schemas.cluster import VariableName
from schemas.record import Extension, Identity
from schemas.sweep import SweepSpec

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

# A name within the folder of a share: no separator but one after a known folder, and no leading dot.
NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,210}"
RecordName = Annotated[str, Field(pattern=rf"^{NAME}\.json$")]
FileName = Annotated[str, Field(pattern=rf"^(?:(?:(?:jobs|closed)/)?{NAME}\.json|jobs/{NAME}\.stderr\.log)$")]

MAX_SHARES = 1_000_000


class ShareSpec(Versioned):
    """One attempt at a share: the blocks from `first` to `last` of a run, as its head asks a node for them.

    `folder` is that of the attempt, in a file system that the node shares; empty: files are sent on standard output,
    and the end of standard input means that the head has gone.
    """

    run: str
    share: int = Field(ge=1, le=MAX_SHARES)
    attempt: PositiveInt
    first: PositiveInt
    last: PositiveInt
    sweep: SweepSpec
    seed: NonNegativeInt
    extensions: tuple[Extension, ...] = ()
    identity: Identity
    cloned: str = Field(default="", description="id of the cell that the A/A clone repeats")
    folder: str = ""
    home: str = ""
    keep: tuple[VariableName, ...] = ()
    gpus: PositiveInt | None = None

    @property
    def name(self) -> str:
        """The name of the attempt."""
        return f"{self.share}-{self.attempt}"

    @model_validator(mode="after")
    def _check_blocks(self) -> "ShareSpec":
        if self.first > self.last:
            raise ValueError(f"a share cannot begin with block {self.first} and end with block {self.last}")
        return self


class Lease(Model):
    """The holder of an attempt. The file is made once: its maker runs the attempt, or has withdrawn it."""

    node: str = Field(default="", max_length=255)
    pid: NonNegativeInt = 0
    withdrawn: bool = Field(default=False, description="made by the head, so that the attempt never begins")


class ClosedBlock(Model):
    """A block of which every job has ended, with the SHA-256 of each of its records."""

    block: PositiveInt
    records: dict[RecordName, Digest]


class ShareEnd(Model):
    """The end of an attempt, as its node states it."""

    how: Literal["finished", "interrupted", "failed"]
    reason: str = ""


class Frame(Model):
    """A line of a node that shares no files: a file in base64 of gzip, or without a name a sign of life."""

    name: FileName | Literal[""] = ""
    sha256: Digest | Literal[""] = ""
    data: str = ""
