"""The reasons why a cell cannot run on this machine."""

from orchestrator.environments.lookup import Environments
from orchestrator.format import join_names
from orchestrator.machine.fingerprint import list_gpus
from orchestrator.machine.tunings import explain_missing_tuning
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.model_files import explain_file_refusal
from orchestrator.registry.models import lacks_optimizer
from orchestrator.registry.modes import find_mode
from orchestrator.registry.workloads import explain_missing_implementation
from schemas.catalog import Framework
from schemas.job import HALF_DTYPES, OWN_TRAINING, TRAINING_TASKS, Cell
from schemas.tuning import TUNINGS
from schemas.workloads import Workload

EAGER = "eager"


def explain_refusal(cell: Cell, workload: Workload, environments: Environments) -> str:
    """Explain why a cell cannot run here; empty if it may be tried."""
    framework = load_frameworks()[cell.framework]
    return (
        explain_hardware(cell, framework)
        or explain_tuning(cell)
        or explain_file_refusal(cell, workload, framework)
        or explain_task(cell, framework)
        or explain_loop(cell, workload, framework)
        or explain_missing_optimizer(cell, workload)
        or explain_missing_implementation(workload, framework)
        or environments.explain_refusal(cell)
        or explain_missing_reference(cell, workload, environments)
    )


def explain_hardware(cell: Cell, framework: Framework) -> str:
    """Explain why a framework lacks a cell's dtype or device here; empty if it has them."""
    dtypes = find_mode(cell).dtypes or framework.dtypes
    if cell.is_quantised and cell.dtype not in dtypes:
        return f"{cell.framework}:{cell.mode} quantises a model in {join_names(dtypes)}, not in {cell.dtype}"
    if cell.dtype not in framework.dtypes:
        return f"{cell.framework} does not compute in {cell.dtype}; choose {join_names(framework.dtypes)}"
    if cell.dtype not in dtypes:
        return f"{cell.framework}:{cell.mode} does not compute in {cell.dtype}; choose {join_names(dtypes)}"
    if cell.device not in framework.devices:
        return f"{cell.framework} computes on {' and '.join(framework.devices)} here, not on {cell.device}"
    if cell.device == "cuda" and not list_gpus():
        return "this machine has no GPU with NVIDIA's driver"
    return ""


def explain_tuning(cell: Cell) -> str:
    """Explain why a cell cannot be tuned as asked, by its framework or on this machine; empty if it can."""
    if cell.tuning in ("channels-first", "channels-last") and cell.origin == "file":
        return "a saved model keeps the order of channels that it was saved with; leave out --origin"
    able = TUNINGS[cell.tuning].frameworks
    if able and cell.framework not in able:
        return f"{cell.tuning} is a tuning of {join_names(able)}, not of {cell.framework}"
    return explain_missing_tuning(cell.tuning)


def explain_task(cell: Cell, framework: Framework) -> str:
    """Explain why a mode cannot compute a cell's task, or load the model from a file; empty if it can."""
    mode, trains = find_mode(cell), cell.task in TRAINING_TASKS
    if cell.origin == "file" and not mode.saves:
        return f"{cell.framework}:{cell.mode} cannot save a model: {mode.unsaved}"
    if cell.origin == "file" and trains:
        return "a saved model computes a forward or backward pass, but does not train"
    if trains and cell.dtype in HALF_DTYPES:
        return f"{cell.task} in {cell.dtype} loses small changes of weights to rounding; train in float32 or float64"
    reason = framework.cannot.get(cell.task)
    return f"{cell.framework} does not support {cell.task}: {reason}" if reason else ""


def explain_loop(cell: Cell, workload: Workload, framework: Framework) -> str:
    """Explain why a model that is called in a loop cannot run as a cell asks; empty if it can, or is called once."""
    if not workload.loop:
        return ""
    if cell.task != "forward":
        return f"{workload.name} is called in a loop, which has no {cell.task}; choose --tasks forward"
    if workload.model is not None and framework.exporter:
        return f"{cell.framework} runs an export for inputs of one shape, and those of a loop have several"
    return ""


def explain_missing_optimizer(cell: Cell, workload: Workload) -> str:
    """Explain why a cell's optimiser cannot come from the file of its model; empty if it can."""
    if cell.task != OWN_TRAINING or not lacks_optimizer(workload):
        return ""
    is_code = workload.model is not None and not workload.model.kind
    remedy = "write one that returns the optimiser, or choose" if is_code else "choose"
    title = workload.model.title if workload.model is not None else f"the workload {workload.name}"
    return f"{title} has no function optimizer; {remedy} --optimizer sgd, adam or adamw"


def make_reference_cell(cell: Cell, framework: str, environments: Environments) -> Cell:
    """Return the cell that computes another's expected results: the same computation in this framework's eager mode.

    A framework without one, such as ONNX Runtime, has its first mode.

    Cells that differ only in how they compute share this cell, and their inputs are drawn as its inputs.
    """
    kept = cell.model_dump(include={"workload", "parameters", "task", "batch", "dtype", "shapes", "code", "variant"})
    environment = environments.choose_reference_environment(cell, framework)
    modes = [mode.name for mode in load_frameworks()[framework].modes]
    mode = EAGER if EAGER in modes else modes[0]
    return Cell.model_validate(kept | {"framework": framework, "mode": mode, "environment": environment})


def explain_missing_reference(cell: Cell, workload: Workload, environments: Environments) -> str:
    """Explain why a workload's expected results cannot be computed; empty if they can."""
    if not workload.reference:
        return ""
    reason = environments.explain_refusal(make_reference_cell(cell, workload.reference, environments))
    return reason and f"the reference of {workload.name} is {workload.reference} in float64: {reason}"
