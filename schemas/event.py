"""Events: a worker's messages, each one line of JSON on the file descriptor that it reserves for them.

The first line is a Hello, the last a Report, an Exported, a Profiled or a Failure. Between them, a Phase opens each
phase of the job.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.artefact import Artefact
from schemas.base import Model, NonNegativeInt, PositiveInt, Versioned
from schemas.models import Likeness

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
    "latency",
    "memory",
    "generation",
    "growth",
    "throughput",
    "profile",
    "report",
    "ledger",
    "reference",
]
FailureOutcome = Literal["unsupported", "wrong", "raised", "out-of-memory"]
Breach = Literal["", "reference", "implementation"]


class Hello(Versioned):
    """A worker's greeting: it has read its spec, and imported no framework yet."""

    kind: Literal["hello"] = "hello"
    pid: PositiveInt
    python: str
    interpreter: str


class Phase(Model):
    """The beginning of a phase."""

    kind: Literal["phase"] = "phase"
    name: PhaseName


class PhaseMemory(Model):
    """Memory of the worker and all its descendants together, in bytes.

    `start` and `end` are the resident memory at those times. `peak` is the sum of the kernel's high-water marks since
    the start. `pss` and `uss` are the proportional and the unshared part of `end`. Both are null where `end` hardly
    differs from their last reading: the kernel takes up to 16 ms to compute them.
    """

    start: NonNegativeInt
    peak: NonNegativeInt
    end: NonNegativeInt
    pss: NonNegativeInt | None
    uss: NonNegativeInt | None
    processes: PositiveInt


class PhaseCost(Model):
    """The cost of one phase. Times are in nanoseconds; `cpu_ns` covers all threads of the process.

    Where the main thread spent the phase is counted too: on a core, ready but without a core, or waiting for a disk. In
    the rest it slept, such as while other threads computed. A signal may have stopped the worker for `stopped_ns`,
    which no other time includes. Null: not counted.
    """

    name: PhaseName
    wall_ns: NonNegativeInt
    cpu_ns: NonNegativeInt
    main_cpu_ns: NonNegativeInt | None = Field(default=None, description="main thread: on a core")
    waiting_ns: NonNegativeInt | None = Field(default=None, description="main thread: ready, but without a core")
    io_ns: NonNegativeInt | None = Field(default=None, description="main thread: waiting for a disk")
    stopped_ns: NonNegativeInt | None = Field(default=None, description="stopped by a signal")
    spans: tuple[tuple[NonNegativeInt, NonNegativeInt], ...] = Field(
        default=(), description="beginning and end of each part of the phase, on the monotonic clock of the system"
    )
    memory: PhaseMemory | None = Field(
        default=None, description="null: the system does not report it, or the job was to be forked"
    )

    @property
    def asleep_ns(self) -> int | None:
        """Return the rest: neither on a core, nor waiting for one or for a disk; None where that is not counted."""
        if self.main_cpu_ns is None or self.waiting_ns is None:
            return None
        return max(0, self.wall_ns - self.main_cpu_ns - self.waiting_ns - (self.io_ns or 0))


class Setting(Model):
    """One setting, as requested and as read back. If `asked` is null, it is only recorded."""

    name: str
    asked: str | None
    got: str

    @property
    def honoured(self) -> bool:
        """Return true unless the worker got another value than the one requested."""
        return self.asked is None or self.asked == self.got


class TensorCheck(Model):
    """The comparison of one tensor with the float64 reference: relative 2-norm and largest relative error."""

    tensor: str
    inputs: str = Field(description="the inputs, in words")
    error: float | None = Field(description="2-norm of the difference over that of the reference; null: not finite")
    worst: float | None = Field(description="largest difference over the reference's largest value")
    tolerance: float
    passed: bool
    scale: float | None = Field(
        default=None, description="the 2-norm that errors are divided by; null: no sketch was made, or it is not finite"
    )
    sketch: tuple[float, ...] = Field(
        default=(),
        description="signed sums of the values: the distance of two sketches estimates that of the values; empty: not "
        "made, as after the first block, or a value is not finite",
    )
    equal_argmax: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of rows along the last axis whose largest value is where the reference's is; null: not an "
        "output of a forward pass with at least two axes of real numbers",
    )


class Verification(Model):
    """The comparison of a cell's results with those of its reference."""

    checks: tuple[TensorCheck, ...]
    reason: str = Field(default="", description="reason why the results are wrong; empty: they are right")
    referee: str = Field(
        default="", description="the framework whose float64 implementation is the reference; empty: reference.py"
    )
    agreement: str = Field(
        default="", description="why only agreement in float32 was checked, not float64; empty: float64"
    )
    likeness: Likeness = Likeness()


class SavedTensor(Model):
    """One tensor in the file of a job's results, in the format of NumPy: its first byte, and the hash of its values."""

    offset: NonNegativeInt
    sha256: str


class SavedResults(Model):
    """The results of one call, or of a few steps of training, for the judge: what they are of, and where they are."""

    case: str = Field(description="the name of the inputs, as the problem of the job has them")
    when: str = Field(description="which call it was, in words")
    tensors: tuple[SavedTensor, ...] = ()
    error: str = Field(default="", description="what the call raised; empty: it returned")
    is_recheck: bool = Field(default=False, description="computed in float64, by a cell of another dtype")


class Noise(Model):
    """Disturbances of the steady phase: readings by sample or burst, then for the whole phase. Null: not counted here.

    CPU time is read with each sample, the other counters and the canary once after each `burst` of samples; the last
    burst may be shorter.
    """

    burst: PositiveInt = Field(default=1, description="samples between two readings of the counters and the canary")
    run_delay_ns: tuple[NonNegativeInt, ...] = Field(description="all threads together, ready but without a core")
    steal_ns: tuple[NonNegativeInt, ...] = Field(description="taken by the hypervisor, whole machine, in clock ticks")
    pressure_ns: tuple[NonNegativeInt, ...] = Field(description="any task of the machine waiting for a core")
    cpu_ns: tuple[NonNegativeInt, ...] = Field(description="CPU time of this process, all threads, in each sample")
    canary_ns: tuple[NonNegativeInt, ...] = Field(description="a small fixed matrix product, after each burst")
    involuntary_switches: NonNegativeInt
    major_faults: NonNegativeInt
    migrations: NonNegativeInt | None
    throttled: NonNegativeInt | None
    threads: PositiveInt

    def reading_of(self, sample: int) -> int:
        """Return the index of the reading that covers this sample."""
        return sample // self.burst

    def spread_readings(self, readings: Sequence[int], samples: int) -> Sequence[int]:
        """Return for each of so many samples the reading of its burst."""
        return readings if self.burst == 1 else [readings[self.reading_of(sample)] for sample in range(samples)]


# Twice the calls must take between these multiples of the time. Otherwise a sample does not measure its calls.
LINEARITY_RANGE = (1.9, 2.1)

# For so long a job rests after its last sample, and may use this part of it as CPU time. More is work that its calls
# have left for later.
REST_NS = 20_000_000
MAX_REST_SHARE = 0.2

# After the first two calls, so many more are timed one by one, and later ones in laps.
SINGLE_CALLS = 10

# A call on fresh inputs may take at most this multiple of a timed call. More points to cached results.
MAX_UNSEEN_RATIO = 1.5


class Overhead(Model):
    """The cost of the timing itself: nanoseconds per call of a step that does nothing, and per reading of the clock.

    `linearity` is the time of twice the calls of a sample divided by that of a sample, or the bound nearest to 2 of its
    interval; null: not measured, or too disturbed to tell.
    """

    null_ns: float
    clock_ns: float
    linearity: float | None


class Work(Model):
    """The least work of one call: floating-point operations, and bytes that must be read or written."""

    flops: NonNegativeInt
    bytes: NonNegativeInt


class Ceiling(Model):
    """The highest rates that were measured in this process; 0: none were, as in jobs that are not thorough."""

    flops_per_s: float
    bytes_per_s: float


class NewShape(Model):
    """The first call on inputs of a shape that is new to the step. Times are in nanoseconds.

    `second_ns` is the next call at that shape; null where each call changes the weights. `compilations` are those
    caused by the first call; null: the framework does not count them.
    """

    first_ns: PositiveInt
    second_ns: PositiveInt | None
    compilations: NonNegativeInt | None


class StepMemory(Model):
    """One call of the memory pass: resident memory before it, and the high-water mark until its results exist."""

    start: NonNegativeInt
    peak: NonNegativeInt


class DeviceMemory(Model):
    """Memory of a GPU over a few calls after all timing, in bytes, from two sources that are never mixed.

    The framework reports `allocated` before the calls, their `peak`, and `reserved`, the size of its pool.
    `since_start`: the peak could not be reset. The driver reports `process`, held by the worker's processes. Null:
    not reported.
    """

    device: str
    allocated: NonNegativeInt
    peak: NonNegativeInt
    reserved: NonNegativeInt | None
    since_start: bool
    process: NonNegativeInt | None


class Memory(Model):
    """The memory pass: a few calls after all timing, each with a separate high-water mark. All in bytes.

    `group_peak` is that of the cgroup over the whole job, where the worker has one to itself. `trimmed`: before each
    call, the C library returned free memory to the system, so that a call's peak is all that it needs.
    """

    steps: tuple[StepMemory, ...]
    trimmed: bool
    group_peak: NonNegativeInt | None = None
    allocator: dict[str, str] = Field(default={}, description="environment variables that change the allocator")
    device: DeviceMemory | None = Field(default=None, description="null: the cell uses no GPU")


class Growth(Model):
    """Memory over many calls after all timing, in bytes: before the first one, and after each `calls` of them.

    It is the memory of the worker and all its descendants that is of no file, also where it was swapped out.
    """

    calls: PositiveInt
    anonymous: tuple[NonNegativeInt, ...] = Field(min_length=2)


class Generation(Model):
    """Loops of a model that generates, after all timing: the times of their calls, each waited for, by position.

    `anonymous` is the memory in bytes, as in `Growth`, before one more loop and at its end, while its state is kept.
    Empty: the kernel does not count it.
    """

    calls_ns: tuple[tuple[PositiveInt, ...], ...] = Field(min_length=1, description="a list for each loop")
    anonymous: tuple[NonNegativeInt, ...] = ()


class Throughput(Model):
    """Several clients at once, each of which calls again as soon as it has its result.

    They are threads of one process, or processes with one client each. `calls` are those of each client, and `took_ns`
    the time of these together. `error`: a client has raised, so that nothing was measured.
    """

    clients: PositiveInt
    processes: PositiveInt = Field(description="1: the clients are threads of one process")
    calls: tuple[PositiveInt, ...] = ()
    took_ns: tuple[PositiveInt, ...] = ()
    latency_ns: tuple[PositiveInt, ...] = Field(
        default=(), description="quantiles of the times of all calls, ascending and at equal steps; at most 1,000"
    )
    pss: NonNegativeInt | None = Field(
        default=None,
        description="bytes of all processes, shared pages by their parts; null: not reported, or the job was forked",
    )
    error: str = ""

    @property
    def per_second(self) -> float:
        """Return the calls of all clients in a second."""
        return sum(calls / took for calls, took in zip(self.calls, self.took_ns, strict=True)) * 1e9


class Energy(Model):
    """Energy that all CPU packages or the whole GPU used in the steady phase, including its untimed parts."""

    joules: float
    seconds: float
    calls: PositiveInt
    source: str


class Report(Versioned):
    """The result of a complete job: raw times, and everything needed to judge them."""

    kind: Literal["report"] = "report"
    versions: dict[str, str]
    build_info: str = Field(default="", description="the framework's own description of its build")
    settings: tuple[Setting, ...]
    phases: tuple[PhaseCost, ...]
    age_ns: NonNegativeInt | None = Field(default=None, description="age of the process at its report; null: unknown")
    forked: bool = Field(
        default=False, description="from a template, which had imported the framework; false: a fresh interpreter"
    )
    verification: Verification = Field(default=Verification(checks=()), description="by the judge, after the job")
    saved: tuple[SavedResults, ...] = Field(default=(), description="results for the judge; none once it has judged")
    randomness: str = Field(default="", description="how two calls on the same inputs differ; empty: not found")
    changes_inputs: bool = Field(default=False, description="its calls change the arrays that they are given")
    inputs_sha256: str = Field(description="hash of all weights and inputs: equal in equal cells of a run")
    is_uneven: bool = Field(default=False, description="its inputs decide how much work a call is")
    warmup: tuple[tuple[PositiveInt, NonNegativeInt], ...] = Field(
        min_length=2,
        description="the first two calls, single ones, then laps: a number of calls, and their nanoseconds together",
    )
    calls: PositiveInt = Field(description="calls in one sample")
    samples_ns: tuple[PositiveInt, ...] = Field(min_length=1, description="time of each sample, for all its calls")
    noise: Noise
    overhead: Overhead
    work: Work = Field(default=Work(flops=0, bytes=0), description="by the judge")
    ceiling: Ceiling
    latency_ns: tuple[PositiveInt, ...] = Field(
        default=(), description="time of each of many single calls, if the sweep asked for latency; in their order"
    )
    rest_cpu_ns: NonNegativeInt | None = Field(
        default=None,
        description="CPU time of all threads in 20 ms after the last sample, for jobs with one thread; null: not read",
    )
    unseen: float | None = Field(
        default=None,
        description="time of a call on fresh inputs over that on timed ones, at least; null: too few undisturbed pairs",
    )
    memory: Memory | None = Field(
        default=None, description="null: the system does not report it, or the job was to be forked"
    )
    growth: Growth | None = Field(
        default=None, description="null: the sweep does not ask for it, or the system does not report it"
    )
    generation: Generation | None = Field(default=None, description="null: a call is not a loop")
    throughput: tuple[Throughput, ...] = Field(default=(), description="if the sweep asks for it; in their order")
    energy: Energy | None = Field(default=None, description="null: no counter can be read")
    compilations: NonNegativeInt | None = Field(description="during the samples; null: the framework does not count")
    new_shapes: tuple[NewShape, ...] = Field(default=(), description="in the order of their calls")
    warnings: tuple[str, ...] = Field(default=(), description="the framework's warnings, each once")
    notes: tuple[str, ...] = Field(default=(), description="what a reader of the results must know, in sentences")

    @model_validator(mode="after")
    def _check_noise_lengths(self) -> "Report":
        noise, samples = self.noise, len(self.samples_ns)
        readings = -(-samples // noise.burst)
        for counts in (noise.run_delay_ns, noise.steal_ns, noise.pressure_ns, noise.canary_ns):
            if len(counts) != readings:
                raise ValueError(
                    f"{len(counts)} counts of a disturbance; there should be {readings}, one for each burst of "
                    f"{noise.burst} of the {samples} samples"
                )
        if len(noise.cpu_ns) != samples:
            raise ValueError(f"{len(noise.cpu_ns)} CPU times; there should be {samples}, one a sample")
        return self


class Exported(Versioned):
    """The result of an export: the artefact and its cost."""

    kind: Literal["exported"] = "exported"
    artefact: Artefact
    versions: dict[str, str]
    settings: tuple[Setting, ...]
    phases: tuple[PhaseCost, ...]
    warnings: tuple[str, ...] = Field(default=(), description="the exporter's warnings, each once")


class Profiled(Versioned):
    """The result of a profile: a file with the trace of a few calls, and counts of what one call consists of."""

    kind: Literal["profiled"] = "profiled"
    trace: Artefact
    calls: PositiveInt = Field(description="number of calls in the trace")
    counts: dict[str, float] = Field(description="for one call, or for the program compiled for it, by name")
    versions: dict[str, str]
    phases: tuple[PhaseCost, ...]
    warnings: tuple[str, ...] = Field(default=(), description="warnings, each once")


class Failure(Versioned):
    """The failure of a job, with its reason."""

    kind: Literal["failure"] = "failure"
    outcome: FailureOutcome
    reason: str
    where: str = Field(default="", description="file and line that raised")
    breach: Breach = Field(
        default="", description="the part of a workload that breaks its contract, whatever mode runs it; empty: none"
    )


# `kind` selects the model, so that a malformed event is never read as another one.
Event = Annotated[Hello | Phase | Report | Exported | Profiled | Failure, Field(discriminator="kind")]
