"""Compute the expected results of a workload with one of its implementations in float64.

A separate process does this, so that the measured one imports only what it runs on. The implementation runs eagerly,
operation by operation. For cells in float32 it also runs in float32: the difference is the error that an honest result
may have.
"""

from functools import partial
from pathlib import Path

from schemas.event import Exported
from schemas.job import Dtype, JobSpec
from workers import artefacts, frameworks, interfaces, workloads
from workers.arrays import Array
from workers.errors import Malformed, Unsupported
from workers.measurement.generation import repeat_calls
from workers.measurement.phases import Ledger
from workers.problem.location import check_code, resolve_package
from workers.problem.problem import Problem, problem_from_spec
from workers.process.settings import pin_process, read_process_settings
from workers.session import collect_warnings, prepare_step, read_versions
from workers.verification import stored_reference
from workers.verification.randomness import find_randomness
from workers.verification.stored_reference import Cases


def run(spec: JobSpec, path: Path, ledger: Ledger) -> Exported:
    """Compute the results of this cell, and write them to a file.

    Raises:
        Unsupported: the implementation does not exist.
        Malformed: the workload breaks the contract.
        Exception: whatever the framework or the workload raised.
    """
    package, warned = resolve_package(spec), list[str]()
    pin_process(spec)
    settings = tuple(read_process_settings(spec))
    ledger.record_start()
    with ledger.phase("import"):
        kind = frameworks.import_framework(spec.cell.framework, spec.module)
    path.unlink(missing_ok=True)  # results are appended, and an attempt before may have left some
    with collect_warnings(warned):
        if spec.model is None:
            write_workload_reference(spec, kind, package, path, ledger)
        else:
            from workers.tasks.model_reference import write_reference

            write_reference(spec, kind, path, ledger)
    check_code(spec)
    (written,) = (cost.wall_ns for cost in ledger.costs if cost.name == "reference")
    return Exported(
        artefact=artefacts.artefact_from_file(path, written),
        versions=read_versions(spec.distributions),
        settings=settings,
        phases=ledger.costs,
        warnings=tuple(warned),
    )


def write_workload_reference(
    spec: JobSpec, kind: type[interfaces.Framework], package: str, path: Path, ledger: Ledger
) -> None:
    """Write the results of a workload's implementation to a file."""
    with ledger.phase("data"):
        state = read_state(spec, kind, package) if spec.weights else None
        problem = problem_from_spec(spec, package, state)
    with ledger.phase("reference"):
        dtypes: tuple[Dtype, ...] = ("float64", "float32") if spec.cell.dtype == "float32" else ("float64",)
        stored_reference.write_weights(path, problem.weights if spec.weights else {})
        stored_reference.write_cases(
            path, ((dtype, compute_cases(spec, kind, package, problem, dtype, ledger)) for dtype in dtypes)
        )


def compute_cases(
    spec: JobSpec, kind: type[interfaces.Framework], package: str, problem: Problem, dtype: Dtype, ledger: Ledger
) -> Cases:
    """Yield the results of the implementation in each case, computed in this dtype from the data of the cell.

    It is configured as in the track `defaults`: settings that make times comparable do not change a float64 result.
    """
    framework = configure_framework(spec, kind, dtype)
    cell = spec.cell
    model = framework.build(
        workloads.import_implementation(cell.workload, cell.framework, package=package), problem.weights
    )
    step = prepare_step(framework, model, framework.arrays(problem.input_sets[0]), problem.infer_axes(), ledger)
    step, cases = repeat_calls(framework, step, spec.loop), problem.list_cases()
    first = partial(problem.compute_results, framework, step, *next(iter(cases.values())))
    if reason := find_randomness(first, framework, model, dtype):
        raise Malformed(f"{reason}; a reference that differs from itself can judge nothing")
    for case, sets in cases.items():
        yield case, problem.compute_results(framework, step, *sets)


def configure_framework(spec: JobSpec, kind: type[interfaces.Framework], dtype: Dtype) -> interfaces.Framework:
    """Return the framework of the reference, in a dtype of its own."""
    framework = kind(spec.cell.model_copy(update={"dtype": dtype, "track": "defaults"}))
    framework.apply_settings()
    return framework


def read_state(spec: JobSpec, kind: type[interfaces.Framework], package: str) -> dict[str, Array]:
    """Return the weights that the model of the reference makes, in float64."""
    framework = configure_framework(spec, kind, "float64")
    if not isinstance(framework, interfaces.HasState):
        raise Unsupported(f"the weights of {spec.weights} cannot be read; let reference.py draw them")
    implementation = workloads.import_implementation(spec.cell.workload, spec.cell.framework, package=package)
    state = framework.read_state(implementation, spec.seed)
    if spec.cell.task != "forward" and not interfaces.select_trained(state):
        raise Malformed(f"Model has no weights, and {spec.cell.task} needs some; choose --tasks forward")
    return state
