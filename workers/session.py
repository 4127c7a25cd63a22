"""The session that all tasks share: import, apply settings, build and prepare."""

import platform
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.job import Device, JobSpec
from schemas.model_files import get_kind
from workers import artefacts, frameworks, workloads
from workers.errors import Unsupported
from workers.interfaces import (
    HasImplementation,
    HasWorkloads,
    OpensFiles,
    Prepared,
    SavesCode,
    SupportsCalibration,
    SupportsRestoring,
)
from workers.measurement.generation import repeat_calls
from workers.measurement.phases import Ledger
from workers.process.settings import SettingsLog

if TYPE_CHECKING:
    from workers.interfaces import Framework, Made, Shape, Step
    from workers.problem.problem import Problem
    from workers.results import ResultsWriter


@dataclass(frozen=True, slots=True)
class Session:
    """The objects that a job has built before its first call."""

    framework: "Framework"
    problem: "Problem"
    model: Any
    input_sets: list[tuple[Any, ...]]
    on: Device
    results: "ResultsWriter"


def build_session(spec: JobSpec, package: str, ledger: Ledger, settings: SettingsLog) -> Session:
    """Import the framework, apply and read its settings, and build the model and its inputs."""
    return complete_session(spec, package, start_framework(spec, package, ledger, settings), ledger)


def start_framework(spec: JobSpec, package: str, ledger: Ledger, settings: SettingsLog) -> "Framework":
    """Import the framework, apply its settings, and add what is read back."""
    with ledger.phase("import"):
        framework = frameworks.import_framework(spec.cell.framework, spec.module)(spec.cell)
    if is_restored(spec, framework):
        workloads.block_implementations(spec.cell.workload, package)
    with ledger.phase("initialise"):
        framework.apply_settings()
        settings.add_readings(framework.read_settings())
    return framework


def complete_session(spec: JobSpec, package: str, framework: "Framework", ledger: Ledger) -> Session:
    """Build the model and its inputs."""
    with ledger.phase("data"):
        # These import NumPy. Earlier, they would do a part of the framework's import before it is timed.
        from workers.measurement import noise, nvml, peak_rates  # noqa: F401 (their import is a part of this phase)
        from workers.results import ResultsWriter

        if spec.cell.device == "cuda":
            nvml.import_package()
        problem = make_problem(spec, package)
    with ledger.phase("build"):
        model = build_model(spec, package, framework, problem)
        input_sets = [framework.arrays(inputs) for inputs in problem.input_sets]
        if isinstance(framework, SupportsCalibration):
            framework.calibrate(input_sets)
    results = ResultsWriter(Path(spec.results) if spec.results else None)
    return Session(framework, problem, model, input_sets, spec.cell.device, results)


def make_problem(spec: JobSpec, package: str) -> "Problem":
    """Make the problem of a job: given by a judge, drawn by a workload's reference, or found by that of a model."""
    if spec.data is not None and spec.model is None:
        from workers.problem.given import problem_from_given

        return problem_from_given(spec)
    if spec.model is None:
        from workers.problem.problem import problem_from_spec

        return problem_from_spec(spec, package)
    from workers.models.problem import problem_from_stored

    return problem_from_stored(spec)


def build_model(spec: JobSpec, package: str, framework: "Framework", problem: "Problem") -> Any:
    """Build the model of a cell, or return the file that holds it.

    A file that holds compiled code alone goes to the framework, and the model is built as without it.
    """
    if is_loaded(spec) and isinstance(framework, SavesCode) and framework.saves_code:
        framework.take_code(find_model_source(spec, package, framework))
        spec = spec.model_copy(update={"artefact": None})
    if spec.artefact is None and spec.model is not None:
        from workers import images, models

        images.refuse_models(spec.cell.tuning)
        if spec.model.kind and isinstance(framework, OpensFiles) and not get_kind(spec.model.kind).is_cast:
            return framework.open_file(spec.model, problem.dtypes)
        return models.build_model(spec, spec.cell.framework, problem)
    source = find_model_source(spec, package, framework)
    return source if is_restored(spec, framework) else framework.build(source, problem.weights)


def is_loaded(spec: JobSpec) -> bool:
    """Return whether a job loads a file that its own mode has saved."""
    return spec.cell.origin == "file" and spec.artefact is not None


def is_restored(spec: JobSpec, framework: "Framework") -> bool:
    """Return whether the whole step is loaded from such a file, and no model is built."""
    return is_loaded(spec) and not (isinstance(framework, SavesCode) and framework.saves_code)


def find_model_source(spec: JobSpec, package: str, framework: "Framework") -> Any:
    """Return the source of the model: the workload's implementation, or the exported file."""
    if spec.artefact is not None:
        return artefacts.verify_artefact(spec.artefact)
    name = framework.implementation if isinstance(framework, HasImplementation) else spec.cell.framework
    own = framework.workloads if isinstance(framework, HasWorkloads) else ""
    return workloads.import_implementation(spec.cell.workload, name, own, package)


def begin_step(spec: JobSpec, session: Session, ledger: Ledger) -> "Step":
    """Prepare the step of a job or load it, and return what a timed call calls.

    Raises:
        Unsupported: the framework has no way to load it.
    """
    begin = restore_step if is_restored(spec, session.framework) else prepare_step
    example, shapes = session.input_sets[0], session.problem.infer_axes()
    step = begin(session.framework, session.model, example, shapes, ledger)
    return repeat_calls(session.framework, step, spec.loop)


def prepare_step(
    framework: "Framework", model: Any, example: tuple[Any, ...], shapes: Sequence["Shape"], ledger: Ledger
) -> "Step":
    """Trace or compile the step, or both in turn; a mode that does neither has no such phase."""
    return run_phases(framework.step(model, example, shapes), ledger)


def restore_step(
    framework: "Framework", path: Path, example: tuple[Any, ...], shapes: Sequence["Shape"], ledger: Ledger
) -> "Step":
    """Load the step that its mode has saved to a file.

    Raises:
        Unsupported: the framework has no way to do so.
    """
    if not isinstance(framework, SupportsRestoring):
        raise Unsupported("this framework cannot load a saved model: choose the origin source")
    return run_phases(framework.restoring(path, example, shapes), ledger)


def run_phases(ready: "Prepared[Made]", ledger: Ledger | None) -> "Made":
    """Run one phase after another, and return the result of the last; without a ledger, none is timed."""
    made: Made | Prepared[Made] = ready
    while isinstance(made, Prepared):
        with ledger.phase(made.phase) if made.phase and ledger else nullcontext():
            made = made.prepare()
    return made


@contextmanager
def collect_warnings(warned: list[str]) -> Iterator[None]:
    """Collect the warnings raised inside, each once, deprecations included, and print them to the log."""
    with warnings.catch_warnings(record=True) as seen:
        # Python hides most deprecations by default, but TorchScript's belong in the record.
        warnings.simplefilter("default")
        try:
            yield
        finally:
            record_warnings(seen, warned)


def record_warnings(seen: Sequence[warnings.WarningMessage], warned: list[str]) -> None:
    """Append each new message to the list, and print it to the log."""
    for warning in seen:
        message = f"{warning.category.__name__}: {warning.message}"[:300]
        if message not in warned:
            warned.append(message)
            print(message, file=sys.stderr)


def read_versions(distributions: Sequence[str]) -> dict[str, str]:
    """Return the versions of Python and of those of these distributions that are installed."""
    found = {"python": platform.python_version()}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
