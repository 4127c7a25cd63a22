"""The task `profile`: trace a few calls, and count what one call is made of."""

from pathlib import Path

from schemas.event import Profiled
from schemas.job import JobSpec
from workers import artefacts
from workers.measurement.phases import Ledger
from workers.problem.location import resolve_package
from workers.process.settings import SettingsLog
from workers.profilers import PROFILED_CALLS, WARM_UP_CALLS, EarlyProfiler, load_profiler
from workers.session import begin_step, build_session, collect_warnings, read_versions


def run(spec: JobSpec, path: Path, ledger: Ledger) -> Profiled:
    """Prepare the cell's step as for a measurement, and write a trace of a few calls to a file.

    Raises:
        Unsupported: the cell cannot run, or its framework has no profiler here.
        Exception: any error of the framework or the workload.
    """
    profiler, package, warned = load_profiler(spec.cell.framework), resolve_package(spec), list[str]()
    ledger.record_start()
    session = build_session(spec, package, ledger, SettingsLog())
    framework, sets = session.framework, session.input_sets
    if isinstance(profiler, EarlyProfiler):
        profiler.before(framework)
    with collect_warnings(warned):
        step = begin_step(spec, session, ledger)

        def make_calls(number: int = PROFILED_CALLS) -> None:
            for turn in range(number):
                outputs = step(*sets[turn % len(sets)])
                # Asynchronous work must end within the trace.
                framework.synchronise(outputs)

        # Compilation in the first calls would fill the trace and the counts.
        make_calls(WARM_UP_CALLS)
        with ledger.phase("profile"):
            counts = profiler.profile(framework, make_calls, sets[0], path)
    return Profiled(
        trace=artefacts.artefact_from_file(path),
        calls=PROFILED_CALLS,
        counts={name: float(count) for name, count in counts.items()},
        versions=read_versions(spec.distributions),
        phases=ledger.costs,
        warnings=tuple(warned),
    )
