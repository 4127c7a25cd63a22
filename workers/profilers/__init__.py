"""Profile a cell: write a trace of a few calls, and count what one call consists of.

A separate job does this, and none of its times count, because a profiler slows the calls. A module here is named after
its framework, and is a `Profiler`.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from workers.errors import Unsupported

# Calls before the profiled ones. TorchScript needs several before it has compiled.
WARM_UP_CALLS = 20

# Profiled calls.
PROFILED_CALLS = 10
Counts = dict[str, float]


class Profiler(Protocol):
    """A module of this package: the profiler of a framework."""

    @staticmethod
    def profile(framework: Any, calls: Callable[[], None], example: tuple[Any, ...], path: Path) -> Counts:
        """Make the calls under the framework's profiler, write their trace, and count what one call consists of."""


@runtime_checkable
class EarlyProfiler(Profiler, Protocol):
    """A profiler that must be enabled before the step is prepared."""

    @staticmethod
    def before(framework: Any) -> None:
        """Enable it."""


def load_profiler(framework: str) -> Profiler:
    """Import the profiler of a framework.

    Raises:
        Unsupported: there is none.
    """
    name = f"{__name__}.{framework}"
    try:
        return cast("Profiler", importlib.import_module(name))
    except ModuleNotFoundError as error:
        # The profiler exists, but a package that it imports is missing.
        if error.name != name:
            raise
        raise Unsupported(f"{framework} has no profiler here; use one for Python, such as cProfile") from error
