"""SweepSpec: a user's request for a sweep, from a TOML file or from options."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveFloat

from schemas.base import Model, PositiveInt
from schemas.catalog import DEFAULT_MODES
from schemas.cluster import Cluster
from schemas.environment import DEFAULT, EnvironmentSpecs
from schemas.job import (
    DEFAULT_TRAINING,
    TRAIN,
    Cache,
    Count,
    Device,
    Dtype,
    Origin,
    Shaping,
    Start,
    Task,
    Threads,
    Timing,
    Track,
)
from schemas.limits import Limits, Seconds
from schemas.models import ModelRequest
from schemas.tuning import Tuning

MemoryMetric = Literal["import", "static", "compile_peak", "step_peak", "footprint", "device_peak", "device_process"]
RankBy = Literal["time", MemoryMetric]
ComparedPairs = Literal["asked", "all"]


def _expand_training(tasks: object) -> object:
    """Expand `train` to training by the default optimisers."""
    if not isinstance(tasks, (list, tuple)):
        return tasks
    return [each for task in tasks for each in (DEFAULT_TRAINING if task == TRAIN else (task,))]


class Axes(Model):
    """Axes of a sweep: each combination of values is a cell. A workload may add its parameters: `rnn:length=8/32`."""

    frameworks: tuple[str, ...] = Field(default=DEFAULT_MODES, min_length=1)
    workloads: tuple[str, ...] = Field(default=("rnn_cell",), min_length=1)
    tasks: Annotated[tuple[Task, ...], BeforeValidator(_expand_training)] = Field(default=("backward",), min_length=1)
    batch: tuple[Count, ...] = Field(default=(1,), min_length=1)
    dtype: tuple[Dtype, ...] = Field(default=("float32",), min_length=1)
    threads: tuple[Threads, ...] = Field(default=(1,), min_length=1)
    device: tuple[Device, ...] = Field(default=("cpu",), min_length=1)
    environment: tuple[str, ...] = Field(default=(DEFAULT,), min_length=1)
    track: tuple[Track, ...] = Field(default=("parity",), min_length=1)
    cache: tuple[Cache, ...] = Field(default=("cold",), min_length=1)
    shapes: tuple[Shaping, ...] = Field(default=("fixed",), min_length=1)
    origin: tuple[Origin, ...] = Field(default=("source",), min_length=1)
    tuning: tuple[Tuning, ...] = Field(default=("none",), min_length=1)


class CellSelector(Model):
    """A choice of cells by some of their values, to omit them (`exclude`) or to add one (`include`)."""

    framework: str | None = None
    workload: str | None = None
    task: Task | None = None
    batch: Count | None = None
    dtype: Dtype | None = None
    threads: Threads | None = None
    device: Device | None = None
    environment: str | None = None
    track: Track | None = None
    cache: Cache | None = None
    shapes: Shaping | None = None
    origin: Origin | None = None
    tuning: Tuning | None = None


class Stop(Model):
    """The conditions that end a sweep: its goal or its budget, whichever comes first."""

    budget: Seconds = Field(
        default=300.0, description="such as 90s, 5m or 1h, from the first job on; a job starts only if it fits"
    )
    precision: PositiveFloat = Field(default=0.02, description="half-width of the interval of every ratio")
    blocks: int = Field(default=32, ge=1, le=10_000, description="maximum number of blocks")
    until: Literal["precision", "verdict"] = Field(
        default="precision", description="the goal: that precision, or a verdict on every pair that was asked for"
    )


class SweepSpec(Model):
    """One sweep: axes, then `exclude`, then `include`."""

    suite: str | None = Field(default=None, description="suite that provides the axes which the sweep does not set")
    name: str = Field(default="sweep", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    axes: Axes = Axes()
    models: tuple[ModelRequest, ...] = Field(
        default=(), max_length=20, description="models as they are, measured instead of workloads"
    )
    environments: EnvironmentSpecs = Field(default={}, max_length=100)
    exclude: tuple[CellSelector, ...] = Field(default=(), max_length=1000)
    include: tuple[CellSelector, ...] = Field(default=(), max_length=1000)
    baseline: str | None = None
    compare_by: str = Field(
        default="", description="axis or parameter along which each mode is compared with itself; empty: none"
    )
    margin: PositiveFloat = Field(
        default=0.02, lt=1, description="differences below this share are too small to matter"
    )
    rank_by: RankBy = Field(default="time", description="quantity that ranks the modes")
    pairs: ComparedPairs = Field(
        default="asked",
        description="pairs to compare: asked (each mode with the baseline and with the mode it has to beat) or all",
    )
    calls: PositiveInt | None = Field(default=None, description="also answer which mode is best for this many calls")
    seed: int | None = Field(
        default=None, ge=0, description="of the random order, weights and inputs; null: drawn at random"
    )
    start: Start = Field(
        default="template",
        description="template: most jobs are forked from interpreters that have imported their frameworks, one for "
        "each framework and block; fresh: each job starts an interpreter",
    )
    sandbox: bool = Field(
        default=False, description="jobs write to their own folder alone, read what they need, and have no network"
    )
    stop: Stop = Stop()
    timing: Timing = Timing()
    profile: bool = Field(default=False, description="profile each cell once, at the end, by its framework's profiler")
    deadline: Seconds = Field(default=120.0, description="time limit of one job, such as 90s, 5m or 1h")
    limits: Limits = Limits()
    cluster: Cluster | None = Field(default=None, description="machines on which shares of the sweep run")

    @property
    def is_shared_out(self) -> bool:
        """Return whether shares of the sweep run on other machines."""
        return self.cluster is not None and bool(self.cluster.on)
