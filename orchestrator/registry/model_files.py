"""Models on disk, such as ONNX files: their kinds, found by name and checked without opening them in a framework."""

from pathlib import Path

from orchestrator.errors import UsageError
from schemas.catalog import Framework
from schemas.job import Cell
from schemas.model_files import FileKind, explain_unreadable, find_kind, get_kind
from schemas.models import ModelRequest, ModelSource
from schemas.workloads import Workload


def find_stored_model(request: ModelRequest, place: str, attribute: str, beside: Path) -> ModelSource | None:
    """Find the model file that a text names; None if the text names none by its suffix.

    Raises:
        UsageError: there is no such file, or it is none of that kind.
    """
    path = beside.joinpath(Path(place).expanduser())
    kind = find_kind(path)
    if kind is None:
        if request.data:
            raise UsageError(f"--data holds the inputs of a model file, and {place} is none; write an inputs function")
        return None
    if not path.exists():
        raise UsageError(f"there is no file {path}; name the file of a model")
    try:
        reason = explain_unreadable(path, kind)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if reason:
        raise UsageError(f"{path} cannot be measured: {reason}")
    file = path.resolve()
    if request.labels and not request.data:
        raise UsageError("--labels are the answers to inputs of your own; give these, too: --data inputs.npz")
    return ModelSource(
        file=str(file),
        attribute=attribute,
        folder=str(file.parent),
        kind=kind.name,
        data=find_arrays(request.data, beside, "--data", ".npz file with one array for each input"),
        labels=find_arrays(request.labels, beside, "--labels", ".npy file with whole numbers"),
        is_sibling=request.is_sibling,
    )


def find_arrays(text: str, beside: Path, option: str, due: str) -> str:
    """Return the absolute path of a file with arrays; empty if there is none."""
    if not text:
        return ""
    path = beside.joinpath(Path(text).expanduser()).resolve()
    if path.suffix != due[:4] or not path.is_file():
        raise UsageError(f"{option} {text!r} must be an {due}")
    return str(path)


def get_file_kind(workload: Workload) -> FileKind | None:
    """Return the kind of file that a workload's model is in; None if it is in none."""
    return get_kind(workload.model.kind) if workload.model is not None and workload.model.kind else None


def is_opened(workload: Workload, framework: str) -> bool:
    """Return whether a framework opens the file of a workload's model as it is."""
    kind = get_file_kind(workload)
    return kind is not None and framework in kind.opened_by


def is_opened_as_is(model: ModelSource, framework: str) -> bool:
    """Return whether a framework opens the file of a model without making another model of it."""
    kind = get_kind(model.kind) if model.kind else None
    return kind is not None and not kind.is_cast and framework in kind.opened_by


def explain_file_refusal(cell: Cell, workload: Workload, framework: Framework) -> str:
    """Explain why a cell cannot run the file of a model; empty if it may be tried, or there is no such file."""
    kind = get_file_kind(workload)
    if kind is None or workload.model is None:
        return ""
    runs = {*kind.modes, *kind.other_modes}
    if f"{cell.framework}:{cell.mode}" not in runs:
        return f"{workload.model.title} is {kind.title}, which runs as {' or '.join(sorted(runs))}"
    if cell.origin == "file":
        return f"{workload.model.title} is a file already; leave out --origin"
    if cell.task not in kind.tasks:
        return f"{kind.title} has no loss, and no weights that could be trained; measure it with --tasks forward"
    if framework.name in kind.opened_by and not kind.is_cast and cell.dtype != "float32":
        return f"{workload.model.title} computes in the types that its file has; leave out --dtype"
    return ""
