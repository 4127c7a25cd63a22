"""Writes the model of a cell to a file, for a framework that runs what another one exports.

In a process of its own, so that the one that is measured imports nothing but what it runs on. A file here is named
after the framework that exports, and has a function `export(model, example, shapes, path)`.
"""

import importlib
from pathlib import Path

from schemas.catalog import FRAMEWORKS
from schemas.event import Exported
from schemas.job import Cell, JobSpec
from workers import artefacts, frameworks, workloads
from workers.home import check, package_of
from workers.job import collected, inherited, versions
from workers.ledger import Ledger


def run(spec: JobSpec, ledger: Ledger) -> Exported:
    """Build the cell's model in the framework that exports it, and write it to the file that the spec names.

    The framework is not configured: what makes times comparable changes nothing about a file.

    Raises:
        Unsupported: the model cannot be exported.
        Exception: whatever the framework or the workload raised.
    """
    cell, path, warned = exporting(spec.cell), Path(spec.export), list[str]()
    home = package_of(spec)
    settings = tuple(inherited(spec))
    ledger.begin()
    with ledger.phase("import"):
        framework = frameworks.load(cell.framework)(cell)
        exporter = importlib.import_module(f"{__name__}.{cell.framework}")
    from workers.problem import problem_of  # brings NumPy, which no other job may have before its framework

    with ledger.phase("build"):
        problem = problem_of(spec.model_copy(update={"cell": cell}), home)
        model = framework.build(workloads.implementation(cell.workload, cell.framework, home=home), problem.weights)
        example = framework.arrays(problem.input_sets[0])
    with ledger.phase("export"), collected(warned):
        exporter.export(model, example, problem.axes(), path)
    check(spec)
    return Exported(
        artefact=artefacts.described(path), versions=versions(), settings=settings, phases=ledger.costs,
        warnings=tuple(warned),
    )  # fmt: skip


def exporting(cell: Cell) -> Cell:
    """The cell of the framework that exports, as it is written there."""
    (exporter,) = (framework.exporter for framework in FRAMEWORKS if framework.name == cell.framework)
    return cell.model_copy(update={"framework": exporter, "mode": "eager"})
