"""Compute the expected results of a workload with one of its implementations in float64.

A separate process does this, so that the measured one imports only what it runs on. The implementation runs eagerly,
operation by operation. For cells in float32 it also runs in float32: the difference is the error that an honest result
may have.
"""

from pathlib import Path

from schemas.event import Exported
from schemas.job import Dtype, JobSpec
from workers import artefacts, expected, frameworks, workloads
from workers.expected import Given
from workers.home import check, package_of
from workers.job import collected, inherited, prepare, versions
from workers.ledger import Ledger
from workers.problem import Problem, problem_of


def run(spec: JobSpec, ledger: Ledger) -> Exported:
    """Compute the results of this cell, and write them to the file that the spec names.

    Raises:
        Unsupported: the implementation does not exist.
        Malformed: the workload breaks the contract.
        Exception: whatever the framework or the workload raised.
    """
    home, path, warned = package_of(spec), Path(spec.expect), list[str]()
    settings = tuple(inherited(spec))
    ledger.begin()
    with ledger.phase("import"):
        kind = frameworks.load(spec.cell.framework, spec.module)
    with ledger.phase("data"):
        problem = problem_of(spec, home)
    with ledger.phase("reference"), collected(warned):
        dtypes: tuple[Dtype, ...] = ("float64", "float32") if spec.cell.dtype == "float32" else ("float64",)
        expected.write(path, ((dtype, given(spec, kind, home, problem, dtype, ledger)) for dtype in dtypes))
    check(spec)
    (written,) = (cost.wall_ns for cost in ledger.costs if cost.name == "reference")
    return Exported(
        artefact=artefacts.described(path, written),
        versions=versions(),
        settings=settings,
        phases=ledger.costs,
        warnings=tuple(warned),
    )


def given(
    spec: JobSpec, kind: type[frameworks.Framework], home: str, problem: Problem, dtype: Dtype, ledger: Ledger
) -> Given:
    """Yield the results of the implementation in each case, computed in this dtype from the data of the cell.

    It is configured as in the track `defaults`: settings that make times comparable do not change a float64 result.
    """
    cell = spec.cell.model_copy(update={"dtype": dtype, "track": "defaults"})
    framework = kind(cell)
    framework.configure()
    model = framework.build(workloads.implementation(cell.workload, cell.framework, home=home), problem.weights)
    step = prepare(framework, model, framework.arrays(problem.input_sets[0]), problem.axes(), ledger)
    for case, sets in problem.cases().items():
        yield case, problem.results(framework, step, *sets)
