"""The protocol that every framework implements, and the loader that finds one by its name in the catalog.

To add a framework, write a file here with a class `Framework`, add a line to `schemas/catalog.py`, and add an
implementation to each workload that it supports. The class may offer more than the protocol:

- `trainer`: restores the weights to their state before training; needed once the step is prepared
- `device_memory()` and `reset_device_peak()`: for computing on a GPU (`workers/device.py`)
- `implementation`: the name of the file in a workload's folder to use instead of the framework's name
- `saving(model, example, shapes)`: like `step`, but leads to the writer of a file; for modes that the catalog lets save
- `restoring(path, example, shapes)`: like `step`, from that file and without the model
- `read_back()`: the settings that can be read only after the step is prepared
- `arithmetic`: a framework whose arrays have operators, to measure the machine if the framework's own have none

A framework that runs another's exported models names that one in the catalog, and builds a model from a file's path.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from schemas.event import PhaseName, Setting
from schemas.job import Cell

if TYPE_CHECKING:
    from workers.arrays import Array

Shape = tuple[int | None, ...]
Step = Callable[..., tuple[Any, ...]]
# Writes to a file what a mode has made of a model.
Writer = Callable[[Path], object]


class Unsupported(Exception):
    """A configuration that cannot be run; the message says why."""


class Wrong(Exception):
    """A configuration found wrong before it has a time that could be withdrawn; the message says why."""


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


def import_framework(name: str, module: str = "") -> type[Framework]:
    """Import a framework, from its file here or from the module that the catalog names. A job times this import."""
    return cast("type[Framework]", importlib.import_module(module or f"{__name__}.{name}").Framework)


def to_tuple(made: Any) -> tuple[Any, ...]:
    """Return a model's outputs as a tuple, even if there is only one."""
    return made if isinstance(made, tuple) else (made,)


def require_trainer(framework: Framework) -> Trainer:
    """Return the trainer of a framework.

    Raises:
        Unsupported: the framework has none.
    """
    trainer = getattr(framework, "trainer", None)
    if trainer is None:
        raise Unsupported("this framework has no trainer: choose the task forward or backward")
    return cast("Trainer", trainer)


NO_GRADIENT = "a gradient is None if the loss does not depend on its weight: use the weight in loss(...), or remove it"


def check_output_types(outputs: Sequence[Any], *kinds: type) -> None:
    """Check that outputs have the framework's types: a copy to the host would hide in the timed call.

    Raises:
        TypeError: an output is None or has another type.
    """
    for number, output in enumerate(outputs):
        if output is None:
            raise TypeError(f"tensor {number} of the step is None; {NO_GRADIENT}")
        if not isinstance(output, kinds):
            due = " or ".join(kind.__name__ for kind in kinds)
            raise TypeError(
                f"the step returned {type(output).__name__} instead of {due}: return the framework's arrays"
            )


def classify_denormals(smallest_halved: float) -> str:
    """Return `flushed` or `kept`: how denormals are treated, given half of the smallest normal number."""
    return "flushed" if smallest_halved == 0 else "kept"
