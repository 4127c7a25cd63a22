"""Workloads: one folder each, with the same computation written once for every framework, side by side.

`reference.py` is the computation in NumPy, in any floating dtype. It defines the weights, the inputs and the correct
results. `torch.py`, `tensorflow.py` and so on hold a class `Model(parameters, weights)`. A model is called with a set
of inputs and has a method `loss` for the same inputs. Read these files to judge whether a comparison is fair.

A user's workload is such a folder too, or an installed package: `workers/home.py` finds it.

Weights whose names begin with `running_` are statistics of a normalisation and have no gradients. If training updates
them, a model has a method `training_loss` beside `loss`, which also updates them, and the reference has a function
`statistics`.

If PyTorch orders the axes of a convolution's kernels differently from the reference, `torch.py` declares the order in
`KERNEL_AXES`. The model brings kernels into this layout when it is built. After all timing, kernels or their gradients
are brought back to be compared.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from schemas.job import Task
from workers.frameworks import Unsupported

if TYPE_CHECKING:
    import numpy as np

    from workers.arrays import Array

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


def import_reference(workload: str, home: str = "") -> Reference:
    """Import the reference of a workload, from the package `home` if it is not built in."""
    return cast("Reference", importlib.import_module(f"{home or f'{__name__}.{workload}'}.reference"))


def import_implementation(workload: str, framework: str, package: str = "", home: str = "") -> Any:
    """Import the implementation of a workload for a framework, whose `package` may hold those of built-in workloads.

    Raises:
        Unsupported: there is no such implementation.
    """
    own = f"{home or f'{__name__}.{workload}'}.{framework}"
    name = f"{package}.{workload}" if package and not home else own
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        place = f"for {framework}" if name == own else f"in {package}"
        raise Unsupported(f"the workload {workload} has no implementation {place}") from error


def block_implementations(workload: str, home: str = "") -> None:
    """Block every import of a workload's implementations from now on: a saved model has to run without them.

    The reference can still be imported: it is not the model's source, and it checks what the file computes.
    """
    from schemas.catalog import FRAMEWORKS  # no other job needs it

    # An import of a name that stands for None raises ModuleNotFoundError.
    for framework in FRAMEWORKS:
        sys.modules[f"{home or f'{__name__}.{workload}'}.{framework.name}"] = None  # type: ignore[assignment]


def select_trained(weights: Mapping[str, T]) -> dict[str, T]:
    """Select the weights that have gradients."""
    return {name: weight for name, weight in weights.items() if not name.startswith(RUNNING_PREFIX)}


def select_running(weights: Mapping[str, T]) -> dict[str, T]:
    """Select the other weights: statistics that training updates without a gradient."""
    return {name: weight for name, weight in weights.items() if name.startswith(RUNNING_PREFIX)}
