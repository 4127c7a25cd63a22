"""JobSpec: what the orchestrator asks of one worker, as JSON on the worker's standard input."""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from schemas.artefact import Artefact
from schemas.base import Model, NonNegativeInt, PositiveInt, Versioned
from schemas.limits import Limits

Task = Literal["forward", "backward", "train-sgd", "train-adam"]
Dtype = Literal["float32", "float64", "bfloat16"]
Device = Literal["cpu", "cuda"]
Track = Literal["parity", "defaults"]
Cache = Literal["cold", "warm"]
Shaping = Literal["fixed", "stream"]
Origin = Literal["source", "file"]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Threads = Annotated[int, Field(ge=1, le=4096)]
Nanoseconds = Annotated[int, Field(ge=0, le=3_600_000_000_000)]


TRAINING: tuple[Task, ...] = ("train-sgd", "train-adam")


class Cell(Model):
    """One configuration: everything that says what is computed, and how. Equal cells may be compared in time."""

    framework: str
    mode: str
    workload: str
    parameters: dict[str, int] = {}
    task: Task = "backward"
    batch: Count = 1
    dtype: Dtype = "float32"
    threads: Threads = 1
    device: Device = "cpu"
    environment: str = "current"
    track: Track = "parity"
    cache: Cache = Field(default="cold", description="whether what an earlier process compiled is found again")
    shapes: Shaping = Field(default="fixed", description="whether all timed calls have inputs of one shape, or of many")
    origin: Origin = Field(
        default="source", description="whether its jobs build the model, or load what the mode saved"
    )
    code: str = Field(default="", description="of the workload's files, if it is not one of ours: schemas/code.py")
    replica: NonNegativeInt = Field(default=0, description="1 for the A/A clone of a cell, which is the same again")

    @property
    def label(self) -> str:
        """The name that a person gives it: framework and mode."""
        return f"{self.framework}:{self.mode}" + (
            f" (A/A{self.replica if self.replica > 1 else ''})" if self.replica else ""
        )

    @property
    def content_hash(self) -> str:
        """Eight hexadecimal digits of the SHA-256 of the whole content.

        Code that is our own does not count, so that this field leaves the names of older records alone.
        """
        content = self.model_dump(exclude=set() if self.code else {"code"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def id(self) -> str:
        """A name fit for a file: what a person looks for first, then the hash of the rest."""
        return f"{self.framework}-{self.mode}-{self.workload}-{self.task}-b{self.batch}-{self.content_hash}"


WARMUP_MAX_NS = 3_000_000_000
"""How long a warm-up may take at most, where neither a user nor the budget of a sweep allows more."""


class Timing(Model):
    """How long and how often to measure. Times in nanoseconds."""

    sample_ns: Nanoseconds = Field(default=10_000_000, ge=1, description="length of one sample: a batch of calls")
    samples: PositiveInt = Field(default=20, le=100_000, description="samples in one process")
    calls: Count | None = Field(default=None, description="calls in one sample; null: calibrate here")
    warmup_min_ns: Nanoseconds = Field(default=250_000_000, description="warm up for at least this long")
    warmup_max_ns: Nanoseconds | None = Field(
        default=None, description="and at most this long; null: 3 s, or what the budget of a sweep allows"
    )

    @property
    def longest_warm_up_ns(self) -> int:
        """What was said, or the least that a sweep allows."""
        return WARMUP_MAX_NS if self.warmup_max_ns is None else self.warmup_max_ns


class JobSpec(Versioned):
    """One cell, measured once, in one fresh process; or with `export` or `profile` something else done with it."""

    cell: Cell
    block: NonNegativeInt = Field(description="from 1; 0: it fills a warm cache, and its times do not count")
    position: NonNegativeInt = Field(description="place in the block's random order")
    attempt: PositiveInt = Field(default=1, description="2 and more: an earlier one was lost, interrupted or killed")
    seed: NonNegativeInt = Field(description="of weights and inputs: the same in every job of a run")
    cpus: tuple[NonNegativeInt, ...] = Field(description="the cores that the worker may use; empty: all")
    variables: dict[str, str] = Field(
        description="environment variables set before the worker starts; {cache} stands for its folder for files"
    )
    module: str = Field(default="", description="what the worker imports; empty: its own file named as the framework")
    hash_seed: NonNegativeInt = Field(default=0, le=2**32 - 1, description="PYTHONHASHSEED, another one in each job")
    padding_bytes: NonNegativeInt = Field(
        default=0, le=1 << 16, description="added to the environment: shifts the stack"
    )
    timing: Timing = Timing()
    deadline_s: PositiveFloat = 120.0
    artefact: Artefact | None = Field(default=None, description="where the model comes from; null: it is built here")
    export: str = Field(default="", description="the file to write the cell's artefact to; empty: measure the cell")
    profile: str = Field(default="", description="the file to write a trace of a few calls to; empty: measure the cell")
    folder: str = Field(default="", description="of a user's workload, absolute; empty: it is in a package")
    package: str = Field(default="", description="of an installed workload; empty: it is ours, or in a folder")
    reference: str = Field(default="", description="the framework whose implementation in float64 is the reference")
    expected: Artefact | None = Field(default=None, description="what that gives; null: the workload's own says")
    expect: str = Field(default="", description="the file to write what it gives to; empty: measure the cell")
    limits: Limits = Limits()
