"""Compute the expected results of a workload with one of its implementations in float64.

A separate process does this, so that the measured one imports only what it runs on. The implementation runs eagerly,
operation by operation. For cells in float32 it also runs in float32: the difference is the error that an honest result
may have.
"""

from pathlib import Path

from schemas.event import Exported
from schemas.job import Dtype, JobSpec
from workers import artefacts, frameworks, interfaces, workloads
from workers.measurement.phases import Ledger
from workers.problem.location import check_code, resolve_package
from workers.problem.problem import Problem, problem_from_spec
from workers.session import collect_warnings, inherit_settings, prepare_step, read_versions
from workers.verification import stored_reference
from workers.verification.stored_reference import Cases


def run(spec: JobSpec, path: Path, ledger: Ledger) -> Exported:
    """Compute the results of this cell, and write them to a file.

    Raises:
        Unsupported: the implementation does not exist.
        Malformed: the workload breaks the contract.
        Exception: whatever the framework or the workload raised.
    """
    package, warned = resolve_package(spec), list[str]()
    settings = tuple(inherit_settings(spec))
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
        problem = problem_from_spec(spec, package)
    with ledger.phase("reference"):
        dtypes: tuple[Dtype, ...] = ("float64", "float32") if spec.cell.dtype == "float32" else ("float64",)
        stored_reference.write_cases(
            path, ((dtype, compute_cases(spec, kind, package, problem, dtype, ledger)) for dtype in dtypes)
        )


def compute_cases(
    spec: JobSpec, kind: type[interfaces.Framework], package: str, problem: Problem, dtype: Dtype, ledger: Ledger
) -> Cases:
    """Yield the results of the implementation in each case, computed in this dtype from the data of the cell.

    It is configured as in the track `defaults`: settings that make times comparable do not change a float64 result.
    """
    cell = spec.cell.model_copy(update={"dtype": dtype, "track": "defaults"})
    framework = kind(cell)
    framework.configure()
    model = framework.build(
        workloads.import_implementation(cell.workload, cell.framework, package=package), problem.weights
    )
    step = prepare_step(framework, model, framework.arrays(problem.input_sets[0]), problem.infer_axes(), ledger)
    for case, sets in problem.list_cases().items():
        yield case, problem.compute_results(framework, step, *sets)
