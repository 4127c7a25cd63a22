"""The interfaces that a framework and a workload provide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from schemas.event import PhaseName, Setting
from schemas.job import Cell, Task

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


@dataclass(frozen=True, slots=True)
class Prepared:
    """The work that makes a step ready for its first call, in the phase `phase`; None: there is nothing to do.

    If another phase follows, `prepare` returns a Prepared for it.
    """

    phase: PhaseName | None
    prepare: Callable[[], Step | Writer | Prepared]


class Trainer(Protocol):
    """The weights of a model in training."""

    def restart(self) -> None:
        """Restore weights, statistics and moments to their initial values."""

    def state(self) -> tuple[Any, ...]:
        """Return the current weights in the reference's order, then its `running_` ones."""


class Framework(Protocol):
    """One framework in one process, configured for one cell."""

    def __init__(self, cell: Cell) -> None: ...

    def configure(self) -> Sequence[Setting]:
        """Set threads, precision and denormals for the cell's track, start the runtime, and read all settings back."""

    def build_info(self) -> str:
        """Describe the build of the installed framework, as it reports it."""

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        """Convert values to the framework's arrays on the cell's device, floating ones in the cell's dtype."""

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        """Build the workload's model with these weights."""

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared:
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


T = TypeVar("T")


Parameters = Mapping[str, int]


Shapes = tuple[tuple[int, ...], ...]


RUNNING_PREFIX = "running_"


class Reference(Protocol):
    """The module `reference.py` of a workload.

    If an implementation, run in float64, is the reference, `forward` and `backward` are not needed. Without `flops`,
    the bytes alone set a lower limit for a time. A reference may also have, where the default would be wrong:

    - `statistics(parameters, weights, *inputs)`: the `running_` weights after a step of training on these inputs
    - `path(parameters, weights, *inputs)`: a hashable name of the control flow that these inputs lead to; None if
      rounding could change a decision, or if the inputs are unsuitable for another reason: then others are drawn
    - `UNEVEN = True`: one set of inputs may be more work than another, as is assumed with a `path`; each sample then
      goes through all sets equally often
    - `elements(parameters, batch, task)`: the fewest numbers that a call has to touch, if these are not all weights,
      inputs and results
    """

    @staticmethod
    def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
        """Draw the weights, by name."""

    @staticmethod
    def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
        """Return the shapes of each set of inputs: first the timed one, then others that must be right as well."""

    @staticmethod
    def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
        """Draw one set of inputs of these shapes: floating numbers, or 64-bit integers."""

    @staticmethod
    def forward(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> Any:
        """Return the output, or a tuple of several."""

    @staticmethod
    def backward(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> tuple[Any, dict[str, Array]]:
        """Return the loss, and its gradient with respect to each trained weight, in the order of the weights."""

    @staticmethod
    def flops(parameters: Parameters, batch: int, task: Task) -> int:
        """Count the operations of the matrix products of one call on the first shapes: never more than are needed."""


def select_trained(weights: Mapping[str, T]) -> dict[str, T]:
    """Select the weights that have gradients."""
    return {name: weight for name, weight in weights.items() if not name.startswith(RUNNING_PREFIX)}


def select_running(weights: Mapping[str, T]) -> dict[str, T]:
    """Select the other weights: statistics that training updates without a gradient."""
    return {name: weight for name, weight in weights.items() if name.startswith(RUNNING_PREFIX)}
