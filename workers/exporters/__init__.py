"""Writes the model of a cell to a file: for a framework that runs what another exports, or as its own mode saves it.

In a process of its own, so that the one that is measured imports nothing but what it runs on. A file here is named
after the framework that exports, and has a function `export(model, example, shapes, path)`; or after one that saves
what was exported in a form of its own, and has a function `convert(source, path)`.
"""

import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.catalog import FRAMEWORKS
from schemas.event import Exported, Setting
from schemas.job import Cell, JobSpec
from workers import artefacts, frameworks, workloads
from workers.home import check, package_of
from workers.job import built, collected, inherited, through, versions
from workers.ledger import Ledger


def run(spec: JobSpec, ledger: Ledger) -> Exported:
    """Write the artefact that a cell's jobs load to the file that the spec names.

    Raises:
        Unsupported: the model cannot be exported, or its mode cannot save it.
        Exception: whatever the framework or the workload raised.
    """
    path, warned = Path(spec.export), list[str]()
    home = package_of(spec)
    settings = list(inherited(spec))
    ledger.begin()
    write = written_by_another if runs_exported(spec.cell) else saved_by_itself
    with collected(warned):
        settings += write(spec, home, path, ledger)
    check(spec)
    (written,) = (cost.wall_ns for cost in ledger.costs if cost.name == "export")
    return Exported(
        artefact=artefacts.described(path, written),
        versions=versions(),
        settings=tuple(settings),
        phases=ledger.costs,
        warnings=tuple(warned),
    )


def written_by_another(spec: JobSpec, home: str, path: Path, ledger: Ledger) -> Sequence[Setting]:
    """Build the cell's model in the framework that exports it, and export it.

    The framework is not configured: what makes times comparable changes nothing about a file.
    """
    cell = exporting(spec.cell)
    with ledger.phase("import"):
        framework = frameworks.load(cell.framework)(cell)
        exporter = importlib.import_module(f"{__name__}.{cell.framework}")
    from workers.problem import problem_of  # brings NumPy, which no other job may have before its framework

    with ledger.phase("build"):
        problem = problem_of(spec.model_copy(update={"cell": cell}), home)
        model = framework.build(workloads.implementation(cell.workload, cell.framework, home=home), problem.weights)
        example = framework.arrays(problem.input_sets[0])
    with ledger.phase("export"):
        if path.suffix == ".onnx":
            exporter.export(model, example, problem.axes(), path)
        else:
            with tempfile.TemporaryDirectory() as folder:
                exporter.export(model, example, problem.axes(), Path(folder, "model.onnx"))
                own = importlib.import_module(f"{__name__}.{spec.cell.framework}")
                own.convert(Path(folder, "model.onnx"), path)
    return ()


def saved_by_itself(spec: JobSpec, home: str, path: Path, ledger: Ledger) -> Sequence[Setting]:
    """Build the cell's model, have its mode trace or compile it, and save what came of that."""
    settings = list[Setting]()
    bench = built(spec, home, ledger, settings)
    framework: Any = bench.framework
    write: Any = through(framework.saving(bench.model, bench.input_sets[0], bench.problem.axes()), ledger)
    with ledger.phase("export"):
        write(path)
    return settings


def runs_exported(cell: Cell) -> bool:
    """Whether a cell's framework runs what another one exports."""
    return any(framework.exporter for framework in FRAMEWORKS if framework.name == cell.framework)


def exporting(cell: Cell) -> Cell:
    """The cell of the framework that exports, as it is written there."""
    (exporter,) = (framework.exporter for framework in FRAMEWORKS if framework.name == cell.framework)
    return cell.model_copy(update={"framework": exporter, "mode": "eager"})
