"""Comparison of functions: each is a variant in the plan of a sweep, measured in processes as any other model."""

import contextlib
import dataclasses
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.analysis.run import Run
from orchestrator.errors import UsageError, unknown_name_error
from orchestrator.execution.core_claims import claim_cores
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.planned_run import PlannedRun, View, begin_run, describe_lock_owner
from orchestrator.functions.progress import ProgressLine
from orchestrator.functions.results import FunctionComparison, collect_results
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning.plan import Plan, build_plan, rebuild_plan
from orchestrator.planning.sweep_file import validate_sweep
from orchestrator.processes.signals import Interrupts
from orchestrator.registry.models import load_models
from schemas.environment import CURRENT
from schemas.model_code import find_module_file
from schemas.models import ModelRequest
from schemas.sweep import Axes, Stop, SweepSpec

# Functions as a caller names them: import paths, or functions that can be imported.
Functions = Mapping[str, str | Callable[..., Any]]

FEWEST = 2

SETTINGS = ("modes", *Axes.model_fields, *Stop.model_fields, *SweepSpec.model_fields)

# The view of a caller who wants no progress.
SILENT: View = contextlib.nullcontext(lambda _event: None)


def compare_functions(
    functions: Functions, inputs: str = "", *, runs: Path, progress: bool = True, **settings: object
) -> FunctionComparison:
    """Measure functions in turn, each in fresh processes, and compare them.

    `settings` are those of a sweep, and its axes.

    Raises:
        UsageError: a function cannot be found or measured, or a setting is invalid.
        KeyboardInterrupt: Ctrl-C ended it; what was measured is kept.
    """
    if len(functions) < FEWEST:
        raise UsageError("name at least two functions to compare, as in {'old': 'pkg.mod:f', 'new': 'pkg.mod:g'}")
    texts = {name: name_function(each) for name, each in functions.items()}
    drawn = {"inputs_function": inputs} if inputs else {}
    models = [{"source": text, "name": name, "folder": choose_folder(text), **drawn} for name, text in texts.items()]
    return collect_results(measure_models(models, runs, settings, progress=progress), functions)


def name_function(function: str | Callable[..., Any]) -> str:
    """Return the import path of a function.

    Raises:
        UsageError: another process could not import it.
    """
    if isinstance(function, str):
        return function
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or not name or module == "__main__" or "<" in name:
        raise UsageError(
            f"{name or function!r} cannot be imported by another process; put it into a module (%%writefile nets.py in "
            f"a notebook), and name it as in 'nets:{name.rpartition('.')[2].strip('<>') or 'f'}'"
        )
    return f"{module}:{name}"


def choose_folder(text: str) -> str:
    """Return the folder that a function is imported from: the current one, or that of the path which has its module.

    An installed package needs none.
    """
    module = text.partition(":")[0]
    folders = (Path.cwd(), *map(Path, filter(None, sys.path)))
    found = (each for each in folders if not module.endswith(".py") and find_module_file(each, module))
    folder = next(found, Path.cwd())
    return str(Path.cwd() if "site-packages" in folder.parts else folder)


def measure_models(
    models: Sequence[Mapping[str, object]], runs: Path, settings: Mapping[str, object], *, progress: bool
) -> Run:
    """Measure models as a sweep does, in the current environment and without a terminal, and return the run.

    Raises:
        UsageError: as in `compare_functions`.
        KeyboardInterrupt: Ctrl-C ended it.
    """
    if threading.current_thread() is not threading.main_thread():
        raise UsageError("functions are compared in the main thread, which alone receives signals and starts processes")
    planned = build_plan(validate_sweep(describe_sweep(models, settings)), affinity.list_cores())
    machine, view = fingerprint.take_fingerprint(), ProgressLine(sys.stderr) if progress else SILENT
    with claim_cores(planned.cores_needed, runs, on_wait=announce_wait) as claim:
        planned = dataclasses.replace(find_interpreters(planned), cores=claim.cores)
        with planned.environments.hold_for_cells(planned.cells_to_start) as environments, Interrupts() as interrupts:
            begun = begin_run(planned, machine, runs, ("orchestrator.api.compare",), environments)
            with begun.folder.hold_lock(describe_lock_owner()):
                run = measure_run(begun, interrupts, view)
    if interrupts.received is not None:
        signal.raise_signal(interrupts.received)  # with the handlers of the caller, as if it came only now
    return run


def announce_wait(line: str) -> None:
    """Print that the functions wait for free cores."""
    print(line, file=sys.stderr)


def measure_run(begun: PlannedRun, interrupts: Interrupts, view: View) -> Run:
    """Measure a new run to its end.

    Raises:
        UsageError: its folder cannot be written to.
    """
    try:
        begun.write_manifest()
        run, _ = begun.measure(interrupts, view, Keyboard())
    except OSError as error:
        place = error.filename or begun.folder.folder
        raise UsageError(f"{place}: {error.strerror}; everything before is kept") from error
    return run


def find_interpreters(planned: Plan) -> Plan:
    """Look for the interpreters that a plan's cells need, and plan again with what they have.

    Raises:
        UsageError: there is no such interpreter, or an environment must be created first.
    """
    environments = planned.environments
    if environments.inspect_for_cells(planned.cells_to_start):
        planned = rebuild_plan(planned.spec, planned.seed, planned.available, environments, planned.extensions)
    for each in environments.list_missing(planned.cells_to_start):
        raise UsageError(f"the environment {each.name} must exist first: python -m orchestrator env create {each.name}")
    return planned


def describe_sweep(models: Sequence[Mapping[str, object]], settings: Mapping[str, object]) -> dict[str, Any]:
    """Describe a sweep of models as a sweep file does.

    Without modes, it has the eager mode of each model's framework, and it ends with a verdict on every pair.

    Raises:
        UsageError: there is no such setting.
    """
    said: dict[str, Any] = {"name": "compare", "models": models}
    axes: dict[str, Any] = {"environment": (CURRENT,)}
    stop: dict[str, Any] = {"until": "verdict"}
    for name, value in settings.items():
        if name == "modes" or name in Axes.model_fields:
            axes["frameworks" if name == "modes" else name] = to_values(value)
        elif name in Stop.model_fields:
            stop[name] = value
        elif name in SweepSpec.model_fields:
            said[name] = value
        else:
            raise unknown_name_error("setting", name, SETTINGS)
    if "frameworks" not in axes:
        found = load_models(map(ModelRequest.model_validate, models)).values()
        axes["frameworks"] = tuple(dict.fromkeys(f"{model.reference}:eager" for model in found))
    return {**said, "axes": axes, "stop": stop}


def to_values(value: object) -> tuple[object, ...]:
    """Return the values of an axis, of which a caller may give one alone."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)
