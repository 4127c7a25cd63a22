"""Workloads: a folder each, with the same computation written once for every framework, side by side.

`reference.py` is the computation in NumPy, of any floating dtype: it says which weights and inputs there are, and
what is right. `torch.py`, `tensorflow.py` and so on hold a class `Model(parameters, weights)` that is called with a set
of inputs and has a method `loss` for the same inputs. Who wants to judge whether a comparison is fair reads these.

A user's own is such a folder as well, or a package that is installed: `workers/home.py` finds it.

Weights whose names begin with `running_` are statistics of a normalisation: no gradient is taken for them. Where
training moves them, a model has a method `training_loss` beside `loss`, which also does that, and the reference a
function `statistics`.

Where PyTorch keeps the axes of a convolution's kernels in another order than the reference, `torch.py` says so in
`KERNEL_AXES`: the model brings kernels into its own layout when it is built, and after all timing they, or their
gradients, are put back to be compared.
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
RUNNING = "running_"


class Reference(Protocol):
    """The module `reference.py` of a workload.

    Where one of the implementations is the reference, run in float64, `forward` and `backward` are not asked for.
    Without `flops` a time is held to the bytes alone. It may also have, each where the plain answer would not be right:

    - `statistics(parameters, weights, *inputs)`, the `running_` weights after a step of training on these inputs
    - `path(parameters, weights, *inputs)`, where inputs decide which way the computation goes: a hashable name of that
      way, or None if rounding could turn one of the decisions, or the inputs will not do for another reason; such are
      drawn again
    - `UNEVEN = True`, where one set of inputs may be more work than another, as with a `path` it may anyhow: then each
      sample goes through all sets equally often
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


def reference(workload: str, home: str = "") -> Reference:
    """Import the reference of a workload, whose package is `home` if it is not one of ours."""
    return cast("Reference", importlib.import_module(f"{home or f'{__name__}.{workload}'}.reference"))


def implementation(workload: str, framework: str, package: str = "", home: str = "") -> Any:
    """Import the implementation of a workload for a framework, which may keep those of ours in a package of its own.

    Raises:
        Unsupported: nobody has written this one.
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


def forbid(workload: str, home: str = "") -> None:
    """See that no implementation of a workload can be imported from now on: what was saved has to do without.

    The reference can: it is not the model's source, and judges what the file computes.
    """
    from schemas.catalog import FRAMEWORKS  # no other job needs it

    for framework in FRAMEWORKS:
        sys.modules[f"{home or f'{__name__}.{workload}'}.{framework.name}"] = None  # type: ignore[assignment]


def trained(weights: Mapping[str, T]) -> dict[str, T]:
    """The weights for which gradients are taken."""
    return {name: weight for name, weight in weights.items() if not name.startswith(RUNNING)}


def running(weights: Mapping[str, T]) -> dict[str, T]:
    """The others: statistics that training moves without a gradient."""
    return {name: weight for name, weight in weights.items() if name.startswith(RUNNING)}
