"""The protocol that every framework implements, and the loader that finds one by its name in the catalog.

To add a framework, write a file here with a class `Framework`, add a line to `schemas/catalog.py`, and add an
implementation to each workload that it supports. The class may also have the abilities that `workers/interfaces.py`
declares after the protocol: training, saving, a GPU's memory, and others.

A framework that runs another's exported models names that one in the catalog, and builds a model from a file's path.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

from schemas.event import Setting
from workers.errors import Unsupported, Wrong
from workers.interfaces import Framework, Prepared, SupportsTraining, Trainer

__all__ = ["Framework", "Prepared", "Unsupported", "Wrong"]  # for frameworks of other distributions


def import_framework(name: str, module: str = "") -> type[Framework]:
    """Import a framework, from its file here or from the module that the catalog names. A job times this import."""
    # A module of this package that the catalog names may have been imported by another name.
    place = module.replace("workers.frameworks", __name__, 1) if module else f"{__name__}.{name}"
    return cast("type[Framework]", importlib.import_module(place).Framework)


def to_tuple(made: Any) -> tuple[Any, ...]:
    """Return a model's outputs as a tuple, even if there is only one."""
    return made if isinstance(made, tuple) else (made,)


def require_trainer(framework: Framework) -> Trainer:
    """Return the trainer of a framework.

    Raises:
        Unsupported: the framework has none.
    """
    if not isinstance(framework, SupportsTraining):
        raise Unsupported("this framework has no trainer: choose the task forward or backward")
    return framework.trainer


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


def is_defined_by(kind: type, package: str) -> bool:
    """Return whether a class is one of a package's own, whatever it says of itself."""
    own = kind.__module__.partition(".")[0] == package
    return own and getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind


def pair_settings(asked: Mapping[str, str], got: Mapping[str, str]) -> tuple[Setting, ...]:
    """Return the settings that were read back, each with what was asked for; those not asked for are only recorded."""
    return tuple(Setting(name=name, asked=asked.get(name), got=value) for name, value in got.items())


def classify_denormals(smallest_halved: float) -> str:
    """Return `flushed` or `kept`: how denormals are treated, given half of the smallest normal number."""
    return "flushed" if smallest_halved == 0 else "kept"
