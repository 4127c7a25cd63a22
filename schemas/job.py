"""JobSpec: the orchestrator's request to one worker, as JSON on the worker's standard input."""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, PositiveFloat

from schemas.artefact import Artefact
from schemas.base import Model, NonNegativeInt, PositiveInt, Versioned
from schemas.limits import Limits
from schemas.models import ModelSource
from schemas.tuning import Tuning

Task = Literal["forward", "backward", "train-sgd", "train-adam", "train-adamw", "train-own"]
Dtype = Literal["float32", "float64", "bfloat16", "float16"]
HALF_DTYPES: tuple[Dtype, ...] = ("bfloat16", "float16")
Device = Literal["cpu", "cuda"]
Track = Literal["parity", "defaults"]
Cache = Literal["cold", "warm"]
Shaping = Literal["fixed", "stream"]
Origin = Literal["source", "file"]
Start = Literal["template", "fresh"]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Threads = Annotated[int, Field(ge=1, le=4096)]
LONGEST_NS = 3_600_000_000_000
Nanoseconds = Annotated[int, Field(ge=0, le=LONGEST_NS)]


# A mode whose name begins with this computes products in 8-bit integers. Its inputs and outputs have the cell's dtype.
INT8 = "int8"

TRAINING_TASKS: tuple[Task, ...] = ("train-sgd", "train-adam", "train-adamw", "train-own")
# The task whose update comes from the file of a user's model.
OWN_TRAINING: Task = "train-own"
# The task as a user writes it if an option or a model's file says which optimiser is meant.
TRAIN = "train"
# Its meaning where neither does.
DEFAULT_TRAINING: tuple[Task, ...] = ("train-sgd", "train-adam")


class Cell(Model):
    """One configuration: everything that determines what is computed, and how. Equal cells may be compared in time."""

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
    cache: Cache = Field(default="cold", description="warm: code that an earlier process compiled is reused")
    shapes: Shaping = Field(default="fixed", description="fixed: all timed inputs have one shape; stream: many")
    origin: Origin = Field(default="source", description="source: jobs build the model; file: they load a saved one")
    tuning: Tuning = Field(default="none", description="setting of the process or the model beside its mode")
    code: str = Field(default="", description="hash of a user's workload by schemas/code.py; empty: built in")
    variant: str = Field(default="", description="which of several implementations of one thing; empty: the only one")
    replica: NonNegativeInt = Field(default=0, description="1 for the A/A clone, an identical copy of a cell")

    @property
    def label(self) -> str:
        """Return the name for people: framework and mode, and the variant if there are several."""
        clone = f" (A/A{self.replica if self.replica > 1 else ''})" if self.replica else ""
        return f"{self.framework}:{self.mode}" + (f" {self.variant}" if self.variant else "") + clone

    @property
    def original(self) -> "Cell":
        """Return the cell that this one is a clone of, or itself."""
        return self.model_copy(update={"replica": 0})

    @property
    def is_quantised(self) -> bool:
        """Return whether its mode computes products in 8-bit integers."""
        return self.mode.startswith(INT8)

    @property
    def precision(self) -> str:
        """Return the precision of its products: its dtype, or `int8`, with the dtype if that is not the usual one."""
        if not self.is_quantised:
            return self.dtype
        return INT8 if self.dtype == "float32" else f"{INT8} from {self.dtype}"

    @property
    def workload_key(self) -> str:
        """Return the name of its workload that no other workload of a sweep has."""
        return f"{self.workload}/{self.variant}" if self.variant else self.workload

    @cached_property
    def content_hash(self) -> str:
        """Return eight hexadecimal digits of the SHA-256 of the whole content.

        An unused `code`, `variant` or `tuning` does not count, so that cells keep the names of older records. It is
        worked out once, since plans and progress compare cells by it all the time.
        """
        usual = {name for name, value in USUAL_VALUES.items() if getattr(self, name) == value}
        # Keys are sorted: the order of parameters must not matter.
        content = self.model_dump(exclude=usual)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def id(self) -> str:
        """Return a name fit for a file: the fields that people look for first, then the hash."""
        return f"{self.framework}-{self.mode}-{self.workload}-{self.task}-b{self.batch}-{self.content_hash}"

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values, whose hash is its own."""
        made = super().model_copy(update=update, deep=deep)
        made.__dict__.pop("content_hash", None)  # a copy has all that was worked out of the original
        return made


# Values of fields that cells did not have at first.
USUAL_VALUES: Mapping[str, str] = {"code": "", "variant": "", "tuning": "none"}

# Longest warm-up where neither the user nor the budget of a sweep allows more.
WARMUP_MAX_NS = 3_000_000_000


class Timing(Model):
    """The length and the number of samples. Times are in nanoseconds."""

    # Plain integers where a bound differs from a named type's: of two bounds in one direction, only the last holds.
    sample_ns: int = Field(default=1_000_000, ge=1, le=LONGEST_NS, description="length of one sample: a batch of calls")
    samples: int = Field(
        default=100, ge=1, le=100_000, description="samples in one process; down to 10 where a call is much longer"
    )
    calls: Count | None = Field(default=None, description="calls in one sample; null: the worker calibrates them")
    latency_calls: int = Field(
        default=0, ge=0, le=100_000, description="single calls timed one by one in each process, for percentiles"
    )
    growth_calls: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="calls after all timing, for what each keeps of the memory; fewer if they take more than 30 s",
    )
    concurrency: tuple[Annotated[int, Field(ge=1, le=256)], ...] = Field(
        default=(),
        max_length=16,
        description="numbers of clients whose requests are answered at once, after all timing; empty: none",
    )
    warmup_min_ns: Nanoseconds = Field(default=250_000_000, description="warm up for at least this long")
    warmup_max_ns: Nanoseconds | None = Field(
        default=None, description="and at most this long; null: 3 s, or what the budget of a sweep allows"
    )

    @property
    def longest_warm_up_ns(self) -> int:
        """Return the maximum that was set, or else the default."""
        return WARMUP_MAX_NS if self.warmup_max_ns is None else self.warmup_max_ns


class Measure(Model):
    """The purpose of most jobs: measure the cell."""

    kind: Literal["measure"] = "measure"


class Export(Model):
    """The purpose of a job that writes the model for other jobs to a file."""

    kind: Literal["export"] = "export"
    path: str


class Profile(Model):
    """The purpose of a job that writes a trace of a few calls to a file."""

    kind: Literal["profile"] = "profile"
    path: str


class ComputeReference(Model):
    """The purpose of a job that writes the expected results of other jobs to a file."""

    kind: Literal["reference"] = "reference"
    path: str


Purpose = Annotated[Measure | Export | Profile | ComputeReference, Field(discriminator="kind")]


class JobSpec(Versioned):
    """A request for one job: a cell, and what a fresh process does with it."""

    cell: Cell
    purpose: Purpose = Measure()
    block: NonNegativeInt = Field(description="from 1; 0: the job fills a warm cache, and its times do not count")
    position: NonNegativeInt = Field(description="place in the block's random order")
    attempt: PositiveInt = Field(default=1, description="2 or more: an earlier attempt was lost, interrupted or killed")
    seed: NonNegativeInt = Field(description="of weights and inputs: equal in every job of a run")
    cpus: tuple[NonNegativeInt, ...] = Field(description="cores that the worker may use; empty: all")
    shared_cpus: tuple[NonNegativeInt, ...] = Field(
        default=(),
        description="cores for requests that are answered at once, whatever the cell; empty: those of the cell",
    )
    variables: dict[str, str] = Field(
        description="environment variables set before the worker starts; {cache} stands for the job's folder for files"
    )
    module: str = Field(default="", description="imported by the worker; empty: its file named after the framework")
    distributions: tuple[str, ...] = Field(default=(), description="those whose versions the worker reports")
    hash_seed: int = Field(
        default=0, ge=0, le=2**32 - 1, description="PYTHONHASHSEED, different in each fresh process and template"
    )
    padding_bytes: int = Field(default=0, ge=0, le=1 << 16, description="added to the environment, to shift the stack")
    start: Start = Field(
        default="fresh",
        description="fresh: in a new interpreter; template: forked from one that has imported the framework",
    )
    thorough: bool = Field(
        default=True, description="also times calls on inputs that no call has had, and measures peak rates"
    )
    timing: Timing = Timing()
    deadline_s: PositiveFloat = 120.0
    artefact: Artefact | None = Field(default=None, description="the model to load; null: the worker builds it")
    # Runs of earlier versions say `folder`.
    source_dir: str = Field(
        default="",
        validation_alias=AliasChoices("source_dir", "folder"),
        description="absolute path of a user's workload; empty: it is in a package",
    )
    package: str = Field(default="", description="of an installed workload; empty: it is built in, or in a folder")
    model: ModelSource | None = Field(default=None, description="a user's model as it is; null: a workload")
    reference: str = Field(default="", description="framework whose float64 implementation is the reference")
    weights: str = Field(
        default="", description="framework whose model has the weights; empty: reference.py draws them"
    )
    loop: PositiveInt = Field(
        default=1,
        description="calls of the model in a timed call; outputs after the first are the inputs of the next call",
    )
    expected: Artefact | None = Field(default=None, description="its results; null: reference.py computes them")
    data: Artefact | None = Field(
        default=None, description="for the worker, its weights and inputs; null: drawn by reference.py"
    )
    sandbox: bool = Field(default=False, description="keep the code from files that it does not need, and the network")
    results: str = Field(default="", description="file to which a worker saves its results for the judge")
    limits: Limits = Limits()
