"""Workloads: a folder each, with the same computation written once for every framework, side by side.

`reference.py` is the computation in NumPy, of any floating dtype: it says which weights and inputs there are, and
what is right. `torch.py`, `tensorflow.py` and so on hold a class `Model(parameters, weights)` that is called with a set
of inputs and has a method `loss` for the same inputs. Who wants to judge whether a comparison is fair reads these.

Weights whose names begin with `running_` are statistics of a normalisation: no gradient is taken for them. Where
training moves them, a model has a method `training_loss` beside `loss`, which also does that, and the reference a
function `statistics`.

Where PyTorch keeps the axes of a convolution's kernels in another order than the reference, `torch.py` says so in
`KERNEL_AXES`: the model brings kernels into its own layout when it is built, and after all timing they, or their
gradients, are put back to be compared.
"""

from __future__ import annotations

import importlib
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
RUNNING = "running_"


class Reference(Protocol):
    """The module `reference.py` of a workload. It may also have, each where the plain answer would not be right:

    - `statistics(parameters, weights, *inputs)`, the `running_` weights after a step of training on these inputs
    - `elements(parameters, batch, task)`, the least numbers that a call has to touch, if these are not all weights,
      inputs and results
    """

    @staticmethod
    def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
        """Draw the weights, by name."""

    @staticmethod
    def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
        """The shapes of one set of inputs: first those that are timed, then others that must be right as well."""

    @staticmethod
    def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
        """Draw one set of inputs of these shapes: floating numbers, or 64-bit integers."""

    @staticmethod
    def forward(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> Any:
        """The output, or a tuple of several."""

    @staticmethod
    def backward(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> tuple[Any, dict[str, Array]]:
        """The loss, and its gradient with respect to each trained weight, in the order of the weights."""

    @staticmethod
    def flops(parameters: Parameters, batch: int, task: Task) -> int:
        """Operations of the matrix products of one call on the first shapes: never more than are needed."""


def reference(workload: str) -> Reference:
    """Import the reference of a workload."""
    return cast("Reference", importlib.import_module(f"{__name__}.{workload}.reference"))


def implementation(workload: str, framework: str, package: str = "") -> Any:
    """Import the implementation of a workload for a framework, which may keep its own in a package of its own.

    Raises:
        Unsupported: nobody has written this one.
    """
    name = f"{package}.{workload}" if package else f"{__name__}.{workload}.{framework}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        place = f"in {package}" if package else f"for {framework}"
        raise Unsupported(f"the workload {workload} has no implementation {place}") from error


def trained(weights: Mapping[str, T]) -> dict[str, T]:
    """The weights for which gradients are taken."""
    return {name: weight for name, weight in weights.items() if not name.startswith(RUNNING)}


def running(weights: Mapping[str, T]) -> dict[str, T]:
    """The others: statistics that training moves without a gradient."""
    return {name: weight for name, weight in weights.items() if name.startswith(RUNNING)}
