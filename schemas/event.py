"""The worker's side of the conversation: one event, as one line of JSON, on its claimed descriptor.

The first line is a Hello, the last a Report or a Failure; between them a Phase opens each phase of the job.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.base import Model, NonNegativeInt, PositiveInt, Versioned

PhaseName = Literal[
    "import", "initialise", "build", "trace", "compile", "first_call", "second_call", "verify", "warm_up", "steady"
]
FailureOutcome = Literal["unsupported", "raised", "out-of-memory"]


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


class PhaseCost(Model):
    """What one phase took. Times in nanoseconds; CPU time is that of all threads of the process."""

    name: PhaseName
    wall_ns: NonNegativeInt
    cpu_ns: NonNegativeInt


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
    """Whether the cell computed what it was asked to compute."""

    checks: tuple[Check, ...]
    reason: str = Field(default="", description="why it is wrong, in words; empty: it is right")


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


class Report(Versioned):
    """The job came to its end: raw times, and everything needed to judge them."""

    kind: Literal["report"] = "report"
    versions: dict[str, str]
    build_info: str = Field(default="", description="how this copy of the framework was built, in its own words")
    settings: tuple[Setting, ...]
    phases: tuple[PhaseCost, ...]
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
    compilations: NonNegativeInt | None = Field(description="during the samples; null: the framework does not count")
    warnings: tuple[str, ...] = Field(default=(), description="what the framework warned of, each once")

    @model_validator(mode="after")
    def _one_count_for_each_sample(self) -> "Report":
        noise = self.noise
        for counts in (noise.run_delay_ns, noise.steal_ns, noise.pressure_ns, noise.cpu_ns, noise.canary_ns):
            if len(counts) != len(self.samples_ns):
                raise ValueError(f"{len(counts)} counts of a disturbance for {len(self.samples_ns)} samples")
        return self


class Failure(Versioned):
    """The job could not be done, and this is why."""

    kind: Literal["failure"] = "failure"
    outcome: FailureOutcome
    reason: str
    where: str = Field(default="", description="file and line of the code that raised")


Event = Annotated[Hello | Phase | Report | Failure, Field(discriminator="kind")]
