"""Why a time is what it is: a trace of a few calls, and counts of what a call is made of.

A job of its own, of which no time counts: a profiler slows what it looks at. A file here is named after its framework,
and has a function `profile(framework, calls, example, path)`, which makes the calls, writes their trace and returns the
counts; and `before(framework)`, where a profiler has to be asked for before the step is prepared.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from schemas.event import Profiled
from schemas.job import JobSpec
from workers import artefacts
from workers.frameworks import Unsupported
from workers.home import package_of
from workers.job import built, collected, prepare, restore, restored, versions
from workers.ledger import Ledger

WARM = 20
"""So many calls come before those that are looked at: TorchScript has compiled by then."""

CALLS = 10
Counts = dict[str, float]


class Profiler(Protocol):
    """The module of a framework."""

    @staticmethod
    def profile(framework: Any, calls: Callable[[], None], example: tuple[Any, ...], path: Path) -> Counts:
        """Make the calls under the framework's profiler, write their trace, and count what one call is made of."""


def run(spec: JobSpec, ledger: Ledger) -> Profiled:
    """Do the job: prepare the cell's step as for a measurement, and look at it.

    Raises:
        Unsupported: the cell cannot be run, or its framework has no profiler here.
        Exception: whatever the framework or the workload raised.
    """
    path, warned = Path(spec.profile), list[str]()
    profiler, home = found(spec.cell.framework), package_of(spec)
    ledger.begin()
    bench = built(spec, home, ledger, [])
    framework, sets = bench.framework, bench.input_sets
    getattr(profiler, "before", lambda _: None)(framework)
    with collected(warned):
        begin = restore if restored(spec) else prepare
        step = begin(framework, bench.model, sets[0], bench.problem.axes(), ledger)

        def calls(number: int = CALLS) -> None:
            for turn in range(number):
                outputs = step(*sets[turn % len(sets)])
                framework.synchronise(outputs)

        calls(WARM)
        with ledger.phase("profile"):
            counts = profiler.profile(framework, calls, sets[0], path)
    return Profiled(
        trace=artefacts.described(path),
        calls=CALLS,
        counts={name: float(count) for name, count in counts.items()},
        versions=versions(),
        phases=ledger.costs,
        warnings=tuple(warned),
    )


def found(framework: str) -> Profiler:
    """The profiler of a framework.

    Raises:
        Unsupported: there is none.
    """
    name = f"{__name__}.{framework}"
    try:
        return cast("Profiler", importlib.import_module(name))
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise Unsupported(f"{framework} has no profiler of its own here; Python's profilers show its calls") from error
