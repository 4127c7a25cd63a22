"""What a framework has to be able to do, and how one is found: a file here, named as in the catalog.

To add a framework, write such a file with a class `Framework`, add a line to `schemas/catalog.py`, and an
implementation to each workload that it supports. The class may have more than the protocol asks for:

- `trainer`, what has to be put back where training began, once the step has been prepared
- `device_memory()` and `reset_device_peak()`, where it computes on a GPU (`workers/device.py`)
- `implementation`, the name of the file in a workload's folder that it takes instead of its own
- `saving(model, example, shapes)`, like `step`, to the writer of a file, for modes that the catalog says save one; and
  `restoring(path, example, shapes)`, like `step`, from that file and without the model
- `read_back()`, settings that can only be seen when the step has been prepared
- `arithmetic`, a framework whose arrays have operators, to see what the machine can do, where its own have none

One that runs what another exports names that one in the catalog, and builds a model from the path of a file.
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
Writer = Callable[[Path], object]
"""Writes what a mode has made of a model to a file."""


class Unsupported(Exception):
    """This configuration cannot be run, and the message says why."""


class Wrong(Exception):
    """This configuration computes something else, and has no time that could be struck out; the message says why."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What makes a step ready for its first call. `phase` is what preparing it is; None: there is nothing to do.

    Preparing may lead to another phase: then it gives what is to be done in that one.
    """

    phase: PhaseName | None
    prepare: Callable[[], Step | Writer | Prepared]


class Trainer(Protocol):
    """Weights on their way through training."""

    def restart(self) -> None:
        """Put weights, statistics and moments back to where they began."""

    def state(self) -> tuple[Any, ...]:
        """The weights as they are now, in the order of the reference's, then its `running_` ones."""


class Framework(Protocol):
    """One library in one process, configured for one cell."""

    def __init__(self, cell: Cell) -> None: ...

    def configure(self) -> Sequence[Setting]:
        """Set threads, precision and denormals as the cell's track asks, start the runtime, and read all back."""

    def build_info(self) -> str:
        """How this copy of the framework was built, in its own words."""

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        """The same values as arrays of the framework, floating ones in the cell's dtype, on its device."""

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        """The workload's model with these weights."""

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared:
        """The cell's task in the cell's mode.

        The step takes a set of inputs. For `forward` it returns the model's outputs, for `backward` the loss and
        the gradient of each weight in the order of the weights, for training the loss alone: the weights stay with
        the `trainer`. `example` is a set of inputs; `shapes` has None for each axis whose size the inputs decide.
        """

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Return when the outputs have been computed."""

    def compilations(self) -> int | None:
        """How often the step has been traced or compiled so far; None if the framework does not count."""

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        """The outputs as float64 arrays of NumPy."""


def load(name: str, module: str = "") -> type[Framework]:
    """Import a framework, from its file here or from the module that the catalog names. This is what a job times."""
    return cast("type[Framework]", importlib.import_module(module or f"{__name__}.{name}").Framework)


def outputs_of(made: Any) -> tuple[Any, ...]:
    """What a model gave, as a tuple: it may have several outputs."""
    return made if isinstance(made, tuple) else (made,)


def trainer_of(framework: Framework) -> Trainer:
    """The trainer of a framework that trains.

    Raises:
        Unsupported: it has none.
    """
    trainer = getattr(framework, "trainer", None)
    if trainer is None:
        raise Unsupported("this framework has no trainer here: it computes forward and backward")
    return cast("Trainer", trainer)


NO_GRADIENT = "a gradient is, if the loss does not depend on its weight"


def own(outputs: Sequence[Any], *kinds: type) -> None:
    """Refuse outputs that are not the framework's own: a copy to the host would hide in the timed call.

    Raises:
        TypeError: one of them is something else.
    """
    for number, output in enumerate(outputs):
        if output is None:
            raise TypeError(f"tensor {number} of the step is None; {NO_GRADIENT}")
        if not isinstance(output, kinds):
            due = " or ".join(kind.__name__ for kind in kinds)
            raise TypeError(f"the step returned a {type(output).__name__} where a {due} was due")


def flushed(smallest_halved: float) -> str:
    """Read back how denormals are treated, from half of the smallest normal number."""
    return "flushed" if smallest_halved == 0 else "kept"
