"""The worker's side of the conversation: one event, as one line of JSON, on its claimed descriptor.

The first line is a Hello, the last a Report, an Exported, a Profiled or a Failure; between them a Phase opens each
phase of the job.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.artefact import Artefact
from schemas.base import Model, NonNegativeInt, PositiveInt, Versioned

PhaseName = Literal[
    "start",
    "import",
    "initialise",
    "data",
    "build",
    "export",
    "load",
    "trace",
    "compile",
    "first_call",
    "second_call",
    "new_shapes",
    "verify",
    "warm_up",
    "steady",
    "memory",
    "profile",
    "report",
    "ledger",
    "reference",
]
FailureOutcome = Literal["unsupported", "wrong", "raised", "out-of-memory"]


class Hello(Versioned):
    """The worker is there, has read its spec, and has imported no framework yet."""

    kind: Literal["hello"] = "hello"
    pid: PositiveInt
    python: str
    interpreter: str


class Phase(Model):
    """A phase begins."""

    kind: Literal["phase"] = "phase"
    name: PhaseName


class PhaseMemory(Model):
    """Memory of the worker and all its descendants together, in bytes.

    `start` and `end` are what was resident then, `peak` the sum of the kernel's high-water marks since the start, `pss`
    and `uss` the proportional and the unshared part of `end`. These two are null where `end` hardly differs from when
    they were last read: the kernel takes up to 16 ms to add them up.
    """

    start: NonNegativeInt
    peak: NonNegativeInt
    end: NonNegativeInt
    pss: NonNegativeInt | None
    uss: NonNegativeInt | None
    processes: PositiveInt


class PhaseCost(Model):
    """What one phase took. Times in nanoseconds; CPU time is that of all threads of the process."""

    name: PhaseName
    wall_ns: NonNegativeInt
    cpu_ns: NonNegativeInt
    memory: PhaseMemory | None = Field(default=None, description="null: this system does not say")


class Setting(Model):
    """One setting, as it was asked for and as it was read back. Nothing asked: recorded only."""

    name: str
    asked: str | None
    got: str

    @property
    def honoured(self) -> bool:
        """Whether the worker got what was asked of it."""
        return self.asked is None or self.asked == self.got


class Check(Model):
    """One tensor compared with the float64 reference: relative 2-norm and largest relative error."""

    tensor: str
    inputs: str = Field(description="which inputs, in words")
    error: float | None = Field(description="2-norm of the difference over that of the reference; null: not finite")
    worst: float | None = Field(description="largest difference over the reference's largest value")
    tolerance: float
    passed: bool


class Verification(Model):
    """Whether the cell computed what it was asked to compute: what its reference gives."""

    checks: tuple[Check, ...]
    reason: str = Field(default="", description="why it is wrong, in words; empty: it is right")
    referee: str = Field(
        default="", description="the framework whose implementation, in float64, says what is right; empty: a reference"
    )


class Noise(Model):
    """What disturbed the steady phase: counters by sample, then for the whole phase. Null: not counted here."""

    run_delay_ns: tuple[NonNegativeInt, ...] = Field(description="all threads together, ready but without a core")
    steal_ns: tuple[NonNegativeInt, ...] = Field(description="taken by the hypervisor, whole machine, in clock ticks")
    pressure_ns: tuple[NonNegativeInt, ...] = Field(description="some task of the machine waited for a core")
    cpu_ns: tuple[NonNegativeInt, ...] = Field(description="CPU time of this process, all threads together")
    canary_ns: tuple[NonNegativeInt, ...] = Field(description="a fixed small product, after each sample")
    involuntary_switches: NonNegativeInt
    major_faults: NonNegativeInt
    migrations: NonNegativeInt | None
    throttled: NonNegativeInt | None
    threads: PositiveInt


LINEAR = (1.9, 2.1)
"""Between these, twice the calls are held to take twice the time."""


KEPT = 1.5
"""A call on inputs that were never seen before is held to take at most so many times what a timed one takes."""


class Overhead(Model):
    """What the timing itself costs: nanoseconds per call of a step that does nothing, and per reading of the clock.

    `linearity` is the time of twice as many calls over that of as many; null where it was not measured again.
    """

    null_ns: float
    clock_ns: float
    linearity: float | None


class Work(Model):
    """What one call has to do at least: floating-point operations, and bytes that must be read or written."""

    flops: NonNegativeInt
    bytes: NonNegativeInt


class Ceiling(Model):
    """The most that this process was seen to do in one second."""

    flops_per_s: float
    bytes_per_s: float


class NewShape(Model):
    """The first call on inputs of a shape that the step had not seen. Nanoseconds.

    `second_ns` is the next call at that shape; null where weights move with each call. `compilations` are those that
    the first call caused; null: the framework does not count.
    """

    first_ns: PositiveInt
    second_ns: PositiveInt | None
    compilations: NonNegativeInt | None


class StepMemory(Model):
    """One call of the memory pass: resident before it, and the high-water mark until its results were there."""

    start: NonNegativeInt
    peak: NonNegativeInt


class DeviceMemory(Model):
    """Memory of a GPU over a few calls after all timing, in bytes, in two views that are never mixed.

    `allocated` before, `peak` at most and `reserved` in its pool are the framework's own; `since_start` says that its
    mark could not be set back. `process` is what the driver says that the worker's processes hold. Null: nobody says.
    """

    device: str
    allocated: NonNegativeInt
    peak: NonNegativeInt
    reserved: NonNegativeInt | None
    since_start: bool
    process: NonNegativeInt | None


class Memory(Model):
    """The memory pass: a few calls after all timing, each with a high-water mark of its own. Bytes.

    `group_peak` is the control group's, over the whole job, where the worker has one to itself. `trimmed`: before each
    call the C library gave what it held free back to the system, so that a call's peak is all that it needs.
    """

    steps: tuple[StepMemory, ...]
    trimmed: bool
    group_peak: NonNegativeInt | None = None
    allocator: dict[str, str] = Field(default={}, description="variables that change the allocator, if they are set")
    device: DeviceMemory | None = Field(default=None, description="null: it computes on no GPU")


class Energy(Model):
    """What the steady phase used, its untimed parts included: all packages of the machine, or the whole GPU."""

    joules: float
    seconds: float
    calls: PositiveInt
    source: str


class Report(Versioned):
    """The job came to its end: raw times, and everything needed to judge them."""

    kind: Literal["report"] = "report"
    versions: dict[str, str]
    build_info: str = Field(default="", description="how this copy of the framework was built, in its own words")
    settings: tuple[Setting, ...]
    phases: tuple[PhaseCost, ...]
    age_ns: NonNegativeInt | None = Field(default=None, description="of the process at its report; null: not known")
    verification: Verification
    inputs_sha256: str = Field(description="of all weights and inputs: equal cells must have equal ones")
    warmup: tuple[tuple[PositiveInt, NonNegativeInt], ...] = Field(
        min_length=2,
        description="laps from the first call on: so many calls, and the nanoseconds that they took together",
    )
    calls: PositiveInt = Field(description="calls in one sample")
    samples_ns: tuple[PositiveInt, ...] = Field(min_length=1, description="each sample's time for all its calls")
    noise: Noise
    overhead: Overhead
    work: Work
    ceiling: Ceiling
    unseen: float | None = Field(
        default=None,
        description="a call on new inputs over one on inputs that were timed, by the lower quartile; null: not asked",
    )
    memory: Memory | None = Field(default=None, description="null: this system does not say")
    energy: Energy | None = Field(default=None, description="null: no counter can be read here")
    compilations: NonNegativeInt | None = Field(description="during the samples; null: the framework does not count")
    new_shapes: tuple[NewShape, ...] = Field(default=(), description="in the order in which they came")
    warnings: tuple[str, ...] = Field(default=(), description="what the framework warned of, each once")

    @model_validator(mode="after")
    def _one_count_for_each_sample(self) -> "Report":
        noise = self.noise
        for counts in (noise.run_delay_ns, noise.steal_ns, noise.pressure_ns, noise.cpu_ns, noise.canary_ns):
            if len(counts) != len(self.samples_ns):
                raise ValueError(f"{len(counts)} counts of a disturbance for {len(self.samples_ns)} samples")
        return self


class Exported(Versioned):
    """The artefact has been written, and this is what it cost."""

    kind: Literal["exported"] = "exported"
    artefact: Artefact
    versions: dict[str, str]
    settings: tuple[Setting, ...]
    phases: tuple[PhaseCost, ...]
    warnings: tuple[str, ...] = Field(default=(), description="what the exporter warned of, each once")


class Profiled(Versioned):
    """A few calls have been looked at: their trace as a file, and what one call is made of."""

    kind: Literal["profiled"] = "profiled"
    trace: Artefact
    calls: PositiveInt = Field(description="in the trace")
    counts: dict[str, float] = Field(description="of one call, or of what it was compiled to; by name")
    versions: dict[str, str]
    phases: tuple[PhaseCost, ...]
    warnings: tuple[str, ...] = Field(default=(), description="what was warned of, each once")


class Failure(Versioned):
    """The job could not be done, and this is why."""

    kind: Literal["failure"] = "failure"
    outcome: FailureOutcome
    reason: str
    where: str = Field(default="", description="file and line of the code that raised")


Event = Annotated[Hello | Phase | Report | Exported | Profiled | Failure, Field(discriminator="kind")]
