"""The axis that a sweep compares by: its usual values, and the check that there is something to compare."""

from collections.abc import Mapping, Sequence
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.planning.request import VARIANT
from orchestrator.records.axes import CELL_AXES, PRECISION, check_axis, collect_series, format_axis_value, list_values
from schemas.job import Cell, Dtype
from schemas.sweep import SweepSpec

USUAL_DTYPES: Final[tuple[Dtype, ...]] = ("float32", "bfloat16")
USUAL_PRECISIONS: Final[tuple[Dtype, ...]] = ("float32", "float64", "bfloat16", "float16")

# The request that gives an axis several values; on any other axis of a cell, its option does.
FIXES: Final = {
    "environment": "name several with --env, or versions in --frameworks, as in tensorflow@2.20,tensorflow@2.21",
    "threads": "name several, as in --threads 1,2",
    "dtype": "name several, as in --dtype float32,bfloat16",
    PRECISION: "name several, as in --dtype float32,float16, or a mode in 8 bits such as onnxruntime:int8-static",
    "batch": "name several, as in --batch 1,32",
    VARIANT: "name several folders, as in --workload ./old --workload ./new",
    "task": "name several, as in --tasks forward,backward",
}


def complete_axis(spec: SweepSpec, cores: int) -> SweepSpec:
    """Return a sweep with the usual values of the axis that it compares by, if it names none: threads or types."""
    if spec.compare_by == "workload":  # several folders are variants of one workload
        spec = spec.model_copy(update={"compare_by": VARIANT})
    usual: dict[str, object] = {"threads": tuple(sorted({1, cores})), "dtype": USUAL_DTYPES}
    axis = spec.compare_by
    if axis == PRECISION and "dtype" not in spec.axes.model_fields_set:
        return spec.model_copy(update={"axes": spec.axes.model_copy(update={"dtype": USUAL_PRECISIONS})})
    if axis not in usual or axis in spec.axes.model_fields_set:
        return spec
    return spec.model_copy(update={"axes": spec.axes.model_copy(update={axis: usual[axis]})})


def check_compared_axis(spec: SweepSpec, cells: Sequence[Cell], refused: Mapping[str, str]) -> None:
    """Check that a sweep can be compared by its axis.

    Raises:
        UsageError: there is no such axis, it has a single value, or a single one that can run here.
    """
    axis = spec.compare_by
    if not axis:
        return
    check_axis(cells, axis, FIXES.get(axis, suggest_values(cells, axis)))
    if not collect_series([cell for cell in cells if cell.id not in refused], axis):
        reason = next(refused[cell.id] for cell in cells if cell.id in refused)
        raise UsageError(f"nothing to compare by {axis}: {reason}")


def suggest_values(cells: Sequence[Cell], axis: str) -> str:
    """Return how a request gets several values of an axis without a usual example."""
    if axis in CELL_AXES:
        return f"name several with --{axis}"
    workload = next((cell.workload for cell in cells if axis in cell.parameters), "rnn")
    return f"name several, as in --workloads {workload}:{axis}=8/32"


def describe_compared_axis(spec: SweepSpec, cells: Sequence[Cell]) -> str:
    """Describe the pairs that a sweep compares along its axis; empty without one."""
    series = collect_series(cells, spec.compare_by) if spec.compare_by else []
    if not series:
        return ""
    values = [format_axis_value(spec.compare_by, value) for value in list_values(cells, spec.compare_by)]
    pairs = sum(len(each) - 1 for each in series)
    return f"Compared by {spec.compare_by}: calls {', '.join(values)}; {pairs} ratio{'s' if pairs > 1 else ''}."
