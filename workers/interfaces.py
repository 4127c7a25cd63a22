"""The interfaces that a framework and a workload provide.

`Framework` and `Reference` are what each must have. A protocol `Supports...` or `Has...` is one ability that it may
have in addition, and `isinstance` tells whether it does. The answer takes microseconds, so no timed call may ask.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

from schemas.event import PhaseName, Setting
from schemas.job import Cell, Task
from schemas.models import ModelSource
from workers.dropout import Dropout

if TYPE_CHECKING:  # NumPy must not be imported before the framework, whose import is timed
    import numpy as np

    from workers.arrays import Array


@dataclass(frozen=True, slots=True)
class Allocated:
    """The allocations that a framework reports, in bytes: now, the peak since the reset, and the reserve.

    None: it does not report this. `since_start`: the peak cannot be reset, and is that of the whole process.
    """

    now: int
    peak: int
    reserved: int | None = None
    since_start: bool = False


Shape = tuple[int | None, ...]
Step = Callable[..., tuple[Any, ...]]
# Writes to a file what a mode has made of a model.
Writer = Callable[[Path], object]
Made = TypeVar("Made")


# Without slots: in Python 3.11, a frozen class with slots could not be made as Prepared[Step](...).
@dataclass(frozen=True)
class Prepared(Generic[Made]):
    """The work that makes a step ready for its first call, in the phase `phase`; None: there is nothing to do.

    If another phase follows, `prepare` returns a Prepared for it.
    """

    phase: PhaseName | None
    prepare: Callable[[], Made | Prepared[Made]]


class Trainer(Protocol):
    """The weights of a model in training."""

    def restart(self) -> None:
        """Restore weights, statistics and moments to their initial values."""

    def state(self) -> tuple[Any, ...]:
        """Return the current weights in the reference's order, then its `running_` ones."""


@runtime_checkable
class HasMoments(Protocol):
    """A trainer that tells what the update by a known formula keeps."""

    def read_moments(self) -> tuple[Any, ...]:
        """Return the moments of each weight, the first ones before the second, then the number of steps.

        Momentum has neither second moments nor steps.
        """


class Framework(Protocol):
    """One framework in one process, configured for one cell."""

    def __init__(self, cell: Cell) -> None: ...

    def apply_settings(self) -> None:
        """Set threads, precision and denormals for the cell's track, and start the runtime."""

    def read_settings(self) -> Sequence[Setting]:
        """Read back all settings that can be read by now, each with what was asked for.

        It is called once the runtime has started, again when the step is prepared, and after the last sample.
        """

    def build_info(self) -> str:
        """Describe the build of the installed framework, as it reports it."""

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        """Convert values to the framework's arrays on the cell's device, floating ones in the cell's dtype."""

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        """Build the workload's model with these weights."""

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        """Prepare the cell's task in the cell's mode.

        The step takes a set of inputs. For `forward` it returns the model's outputs. For `backward` it returns the
        loss and the gradient of each weight, in the order of the weights. For training it returns the loss alone,
        and the weights stay with the `trainer`. `example` is a set of inputs; `shapes` has None for each axis whose
        size the inputs decide.
        """

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Wait until the outputs have been computed."""

    def compilations(self) -> int | None:
        """Count how often the step has been traced or compiled; None if the framework does not count."""

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        """Convert the outputs to float64 arrays of NumPy."""


@runtime_checkable
class SupportsTraining(Protocol):
    """A framework that can train."""

    @property
    def trainer(self) -> Trainer:
        """The trainer, once the step is prepared."""


@runtime_checkable
class SupportsSaving(Protocol):
    """A framework with modes that the catalog says can be saved."""

    def saving(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Writer]:
        """Prepare as `step` does, but for the writer of a file."""


@runtime_checkable
class SupportsRestoring(Protocol):
    """A framework that runs what it has saved."""

    def restoring(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        """Prepare as `step` does, but from the saved file and without the model."""


@runtime_checkable
class SavesCode(Protocol):
    """A framework with modes whose file holds compiled code alone, so that the model is built from its source."""

    @property
    def saves_code(self) -> bool:
        """True if this cell's mode is one of them."""

    def take_code(self, path: Path) -> None:
        """Keep the file, which the coming step loads before it does anything else."""


@runtime_checkable
class OpensFiles(Protocol):
    """A framework that opens users' model files as they are."""

    def open_file(self, source: ModelSource, dtypes: Sequence[str]) -> Any:
        """Return what `step` takes for a file; from now on, inputs have these types instead of the cell's."""


@runtime_checkable
class SeesCompilers(Protocol):
    """A framework that can tell whether a mode that compiles nothing runs compiled code after all."""

    def find_compiled(self, step: Step, example: tuple[Any, ...]) -> str:
        """Return what has compiled code that this step runs, in a few words; "" if nothing has.

        `example` is a set of inputs. Nothing of this may change the step.
        """


@runtime_checkable
class HasChangeableInputs(Protocol):
    """A framework whose arrays a step can change in place."""

    def holds_values(self, arrays: tuple[Any, ...], values: Sequence[Array]) -> bool:
        """Return whether arrays still hold the values that they were made of."""


@runtime_checkable
class ReusesOutputs(Protocol):
    """A framework of which some steps overwrite what they have returned earlier."""

    @property
    def reuses_outputs(self) -> bool:
        """True if this cell's step does."""


@runtime_checkable
class CopiesOutputs(Protocol):
    """A framework that can keep what a later call would overwrite."""

    def copy_outputs(self, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return outputs that later calls leave alone."""


@runtime_checkable
class HasThreadSettings(Protocol):
    """A framework some of whose settings hold for one thread alone."""

    def apply_thread_settings(self) -> None:
        """Set them in the calling thread."""


@runtime_checkable
class KeepsCores(Protocol):
    """A framework whose calls stay on the cores that its process had when it was imported."""

    keeps_cores: Literal[True]


@runtime_checkable
class SupportsClients(Protocol):
    """A framework whose step may not be called by several threads at once."""

    def make_clients(self, count: int) -> Sequence[Step]:
        """Return a step for each of several threads, as the runtime recommends it."""


@runtime_checkable
class SupportsOwnLayouts(Protocol):
    """A framework whose models may keep their weights in another layout than the reference."""

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        """Convert arrays that belong to the model's own weights to the reference's, and leave further ones alone."""


@runtime_checkable
class HasState(Protocol):
    """A framework whose models can make their own weights."""

    def read_state(self, implementation: Any, seed: int) -> dict[str, Array]:
        """Build a model that makes its own weights, and return them by name, in its order."""


@runtime_checkable
class FindsRandomness(Protocol):
    """A framework that can name the parts of a model that draw random numbers."""

    def list_random_parts(self, model: Any) -> Sequence[str]:
        """Name them, as in the model's source."""


@runtime_checkable
class HasVerifiedStep(Protocol):
    """A framework whose training steps may draw random numbers when they are timed, but not when they are verified."""

    def get_verified_step(self, step: Step) -> Step:
        """Return the step to verify: this one, or one on the same weights that is prepared without random numbers."""


@runtime_checkable
class SupportsDeviceMemory(Protocol):
    """A framework that computes on a GPU."""

    def device_memory(self) -> Allocated | None:
        """Read its allocations; return None if the cell uses no GPU."""

    def reset_device_peak(self) -> None:
        """Let the peak start anew, where it can."""


@runtime_checkable
class HasImplementation(Protocol):
    """A framework that runs another file of a workload's folder than the one with its name."""

    implementation: str


@runtime_checkable
class HasWorkloads(Protocol):
    """A framework with a package of implementations for the built-in workloads."""

    workloads: str


@runtime_checkable
class HasDistributions(Protocol):
    """A framework that names distributions to report the versions of, besides those in its catalog entry."""

    distributions: Sequence[str]


@runtime_checkable
class SupportsCalibration(Protocol):
    """A framework with modes that choose the ranges of 8-bit numbers by values seen beforehand."""

    def calibrate(self, input_sets: Sequence[tuple[Any, ...]]) -> None:
        """Keep sets of inputs, in the framework's arrays, for the coming step."""


@runtime_checkable
class Quantises(Protocol):
    """A framework with modes that compute in 8-bit integers."""

    def make_unquantised_step(self) -> Step:
        """Make a step of the model in floating point that the timed step was made of."""


@runtime_checkable
class HasArithmetic(Protocol):
    """A framework whose arrays have no operators."""

    @property
    def arithmetic(self) -> Framework:
        """The framework that measures the machine in its place."""


@runtime_checkable
class KeepsTypes(Protocol):
    """A callable of a user's test, whose results have types of their own."""

    keeps_types: bool


@runtime_checkable
class HasFlatForm(Protocol):
    """A user's model with a form that takes and returns the framework's arrays alone."""

    flat: Any


T = TypeVar("T")
Parameters = Mapping[str, int]
Shapes = tuple[tuple[int, ...], ...]
RUNNING_PREFIX = "running_"


class DrawingReference(Protocol):
    """The module `reference.py` of a workload whose reference is an implementation, run in float64."""

    @staticmethod
    def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
        """Return the shapes of each set of inputs: first the timed one, then others that must be right as well."""

    @staticmethod
    def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
        """Draw one set of inputs of these shapes: numbers of any type, or truth values."""


@runtime_checkable
class DrawsWeights(Protocol):
    """A reference of an operation with weights; it may have none."""

    @staticmethod
    def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
        """Draw the weights, by name."""


class Reference(DrawingReference, DrawsWeights, Protocol):
    """The module `reference.py` of a workload."""

    @staticmethod
    def forward(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> Any:
        """Return the output, or a tuple of several."""

    @staticmethod
    def backward(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> tuple[Any, dict[str, Array]]:
        """Return the loss, and its gradient with respect to each trained weight, in the order of the weights."""


@runtime_checkable
class HasFlops(Protocol):
    """A reference that counts its arithmetic. Without it, the bytes alone set a lower limit for a time."""

    @staticmethod
    def flops(parameters: Parameters, batch: int, task: Task) -> int:
        """Count the operations of the matrix products of one call on the first shapes: never more than are needed."""


@runtime_checkable
class HasElements(Protocol):
    """A reference whose calls do not touch exactly all weights, inputs and results."""

    @staticmethod
    def elements(parameters: Parameters, batch: int, task: Task) -> int:
        """Count the fewest numbers that a call has to touch."""


@runtime_checkable
class HasPath(Protocol):
    """A reference whose control flow depends on its inputs. One set of inputs may be more work than another."""

    @staticmethod
    def path(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> Hashable | None:
        """Name the control flow that these inputs lead to. None: others are drawn.

        None says that rounding could change a decision, or that the inputs are unsuitable for another reason.
        """


@runtime_checkable
class HasUneven(Protocol):
    """A reference that says whether one set of inputs may be more work than another, as a `path` implies.

    Each sample then goes through all sets equally often.
    """

    UNEVEN: bool


@runtime_checkable
class HasStatistics(Protocol):
    """A reference with `running_` weights."""

    @staticmethod
    def statistics(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> dict[str, Array]:
        """Return the `running_` weights after a step of training on these inputs."""


@runtime_checkable
class Implementation(Protocol):
    """The module of a workload for a framework that builds models."""

    Model: Any
    """A class that accepts the parameters and the weights, and whose instances take a set of inputs."""


@runtime_checkable
class HasKernelAxes(Protocol):
    """An implementation for PyTorch whose kernels have another order of axes than the reference's."""

    KERNEL_AXES: Sequence[int]


@runtime_checkable
class HasLoss(Protocol):
    """A model, or its class, for a task that needs gradients."""

    def loss(self, *inputs: Any) -> Any:
        """Return the loss on a set of inputs."""


@runtime_checkable
class HasTrainingLoss(Protocol):
    """A model with statistics that training updates."""

    def training_loss(self, *inputs: Any) -> Any:
        """Return the loss, and update the statistics."""


@runtime_checkable
class HasWeights(Protocol):
    """A model for TensorFlow that lists its variables."""

    weights: Sequence[Any]


@runtime_checkable
class HasRunning(Protocol):
    """A model for TensorFlow with statistics, which are variables too."""

    running: Sequence[Any]


@runtime_checkable
class HasAllVariables(Protocol):
    """A user's model for TensorFlow, some of whose variables the loss may not depend on."""

    all_variables: Sequence[Any]
    """All variables in the reference's order, weights first."""


@runtime_checkable
class HasDropout(Protocol):
    """A user's model for TensorFlow that may drop values at random while training steps are timed."""

    dropout: Dropout | None


def select_trained(weights: Mapping[str, T]) -> dict[str, T]:
    """Select the weights that have gradients."""
    return {name: weight for name, weight in weights.items() if not is_running(name)}


def select_running(weights: Mapping[str, T]) -> dict[str, T]:
    """Select the other weights: statistics that training updates without a gradient."""
    return {name: weight for name, weight in weights.items() if is_running(name)}


def is_running(name: str) -> bool:
    """Return whether a weight is a statistic, by its name or by the last part of a path such as `bn.running_mean`."""
    return name.rpartition(".")[2].startswith(RUNNING_PREFIX)
