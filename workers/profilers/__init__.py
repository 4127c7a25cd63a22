"""Profile a cell: write a trace of a few calls, and count what one call consists of.

A separate job does this, and none of its times count, because a profiler slows the calls. A module here is named after
its framework and has a function `profile(framework, calls, example, path)`. It makes the calls, writes their trace and
returns the counts. A module whose profiler must be enabled before the step is prepared also has `before(framework)`.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from schemas.event import Profiled
from schemas.job import JobSpec
from workers import artefacts
from workers.frameworks import Unsupported
from workers.home import resolve_package
from workers.job import build_session, collect_warnings, is_restored, prepare_step, read_versions, restore_step
from workers.ledger import Ledger

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


def run(spec: JobSpec, ledger: Ledger) -> Profiled:
    """Prepare the cell's step as for a measurement, and profile it.

    Raises:
        Unsupported: the cell cannot run, or its framework has no profiler here.
        Exception: any error of the framework or the workload.
    """
    path, warned = Path(spec.profile), list[str]()
    profiler, home = load_profiler(spec.cell.framework), resolve_package(spec)
    ledger.record_start()
    bench = build_session(spec, home, ledger, [])
    framework, sets = bench.framework, bench.input_sets
    getattr(profiler, "before", lambda _: None)(framework)
    with collect_warnings(warned):
        begin = restore_step if is_restored(spec) else prepare_step
        step = begin(framework, bench.model, sets[0], bench.problem.infer_axes(), ledger)

        def make_calls(number: int = PROFILED_CALLS) -> None:
            for turn in range(number):
                outputs = step(*sets[turn % len(sets)])
                # Asynchronous work must end within the trace.
                framework.synchronise(outputs)

        make_calls(WARM_UP_CALLS)
        with ledger.phase("profile"):
            counts = profiler.profile(framework, make_calls, sets[0], path)
    return Profiled(
        trace=artefacts.artefact_from_file(path),
        calls=PROFILED_CALLS,
        counts={name: float(count) for name, count in counts.items()},
        versions=read_versions(),
        phases=ledger.costs,
        warnings=tuple(warned),
    )


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
