"""The task `export`: write the model of a cell to a file that other processes load."""

from collections.abc import Sequence
from pathlib import Path

from schemas.catalog import FRAMEWORKS
from schemas.event import Exported, Setting
from schemas.job import Cell, JobSpec
from workers import artefacts, exporters, frameworks
from workers.errors import Unsupported
from workers.interfaces import HasFlatForm, SupportsSaving
from workers.measurement.phases import Ledger
from workers.problem.location import check_code, resolve_package
from workers.process.settings import SettingsLog, pin_process, read_process_settings
from workers.session import build_model, build_session, collect_warnings, make_problem, read_versions, run_phases


def run(spec: JobSpec, path: Path, ledger: Ledger) -> Exported:
    """Write the artefact for a cell's jobs to a file.

    Raises:
        Unsupported: the model cannot be exported, or its mode cannot save it.
        Exception: any error of the framework or the workload.
    """
    package, warned = resolve_package(spec), list[str]()
    pin_process(spec)
    settings = [*read_process_settings(spec)]
    ledger.record_start()
    write = export_model if has_exporter(spec.cell) else save_model
    with collect_warnings(warned):
        settings += write(spec, package, path, ledger)
    check_code(spec)
    (written,) = (cost.wall_ns for cost in ledger.costs if cost.name == "export")
    return Exported(
        artefact=artefacts.artefact_from_file(path, written),
        versions=read_versions(spec.distributions),
        settings=tuple(settings),
        phases=ledger.costs,
        warnings=tuple(warned),
    )


def export_model(spec: JobSpec, package: str, path: Path, ledger: Ledger) -> Sequence[Setting]:
    """Build the cell's model in the framework that exports it, and export it."""
    # The framework is not configured: settings that make times comparable do not affect a file.
    cell = make_exporter_cell(spec.cell)
    with ledger.phase("import"):
        framework = frameworks.import_framework(cell.framework)(cell)
        write = exporters.load_writer(cell.framework, spec.cell.framework, path.suffix)
    with ledger.phase("build"):
        own = spec.model_copy(update={"cell": cell})
        problem = make_problem(own, package)
        built = build_model(own, package, framework, problem)
        # A user's model has a form that takes and returns tensors alone.
        model = built.flat if isinstance(built, HasFlatForm) else built
        example = framework.arrays(problem.input_sets[0])
    with ledger.phase("export"):
        write(model, example, problem.infer_axes(), path)
    return ()


def save_model(spec: JobSpec, package: str, path: Path, ledger: Ledger) -> Sequence[Setting]:
    """Build the cell's model, trace or compile it as its mode does, and save the result."""
    settings = SettingsLog()
    session = build_session(spec, package, ledger, settings)
    framework = session.framework
    if not isinstance(framework, SupportsSaving):
        raise Unsupported("this framework cannot save a model: choose the origin source")
    write = run_phases(framework.saving(session.model, session.input_sets[0], session.problem.infer_axes()), ledger)
    with ledger.phase("export"):
        write(path)
    return settings.settings


def has_exporter(cell: Cell) -> bool:
    """Return true if a cell's framework runs models that another one exports."""
    return any(framework.exporter for framework in FRAMEWORKS if framework.name == cell.framework)


def make_exporter_cell(cell: Cell) -> Cell:
    """Return the cell for the exporting framework, in eager mode."""
    (exporter,) = (framework.exporter for framework in FRAMEWORKS if framework.name == cell.framework)
    return cell.model_copy(update={"framework": exporter, "mode": "eager"})
