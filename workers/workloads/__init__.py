"""Workloads: one folder each, with the same computation written once for every framework, side by side.

`reference.py` is the computation in NumPy, in any floating dtype. It defines the weights, the inputs and the correct
results. `torch.py`, `tensorflow.py` and so on hold a class `Model(parameters, weights)`. A model is called with a set
of inputs and has a method `loss` for the same inputs. Read these files to judge whether a comparison is fair.

Numba has no models: `numba.py` holds the functions that `workers/frameworks/numba.py` describes.

A user's workload is such a folder too, or an installed package: `workers/problem/location.py` finds it.

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
from typing import Any, cast

from schemas import own_imports
from workers.errors import Unsupported
from workers.interfaces import Parameters, Reference

__all__ = ["Parameters"]  # for the workloads of users


def import_reference(workload: str, package: str = "") -> Reference:
    """Import the reference of a workload, from the package `package` if it is not built in."""
    if package:
        own_imports.release_names()
    return cast("Reference", importlib.import_module(f"{package or f'{__name__}.{workload}'}.reference"))


def import_implementation(workload: str, framework: str, framework_package: str = "", package: str = "") -> Any:
    """Import the implementation of a workload for a framework.

    `framework_package` is a framework's own package of implementations of built-in workloads.

    Raises:
        Unsupported: there is no such implementation.
    """
    own = f"{package or f'{__name__}.{workload}'}.{framework}"
    name = f"{framework_package}.{workload}" if framework_package and not package else own
    if package:
        own_imports.release_names()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        place = f"for {framework}" if name == own else f"in {framework_package}"
        raise Unsupported(f"the workload {workload} has no implementation {place}") from error


def block_implementations(workload: str, package: str = "") -> None:
    """Block every import of a workload's implementations from now on: a saved model has to run without them.

    The reference can still be imported: it is not the model's source, and it checks what the file computes.
    """
    from schemas.catalog import FRAMEWORKS  # no other job needs it

    # An import of a name that stands for None raises ModuleNotFoundError.
    for framework in FRAMEWORKS:
        sys.modules[f"{package or f'{__name__}.{workload}'}.{framework.name}"] = None  # type: ignore[assignment]
