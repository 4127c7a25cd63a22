"""Axes of cells: their names, the value of a cell, and the series of cells that differ in that value alone."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from orchestrator.errors import UsageError
from schemas.catalog import FRAMEWORKS
from schemas.job import INT8, Cell

AxisValue: TypeAlias = int | str

# The dtype of a cell, or its mode in 8 bits, which is compared with the mode in floating point that it is made of.
PRECISION: Final = "precision"
FLOATING_MODES: Final = {
    (each.name, mode.name): mode.sibling for each in FRAMEWORKS for mode in each.modes if mode.name.startswith(INT8)
}

# Fields of a cell that a comparison may run along. A parameter of a workload is an axis of its own name.
CELL_AXES: Final = (
    "threads",
    "dtype",
    PRECISION,
    "batch",
    "task",
    "device",
    "environment",
    "track",
    "cache",
    "shapes",
    "origin",
    "tuning",
    "variant",
)


def list_axes(cells: Iterable[Cell]) -> list[str]:
    """Return the names of all axes of these cells, their parameters last."""
    cells = tuple(cells)
    fields = [axis for axis in CELL_AXES if axis != "variant" or any(cell.variant for cell in cells)]
    return [*dict.fromkeys((*fields, *(name for cell in cells for name in cell.parameters)))]


def get_axis_value(cell: Cell, axis: str) -> AxisValue | None:
    """Return the value of a cell on an axis; None if its workload has no such parameter."""
    if axis == PRECISION:
        return cell.mode if cell.is_quantised else cell.dtype
    value: AxisValue | None = getattr(cell, axis) if axis in CELL_AXES else cell.parameters.get(axis)
    return None if value == "" else value


def collect_series(cells: Iterable[Cell], axis: str) -> list[tuple[Cell, ...]]:
    """Return the series of cells that differ in an axis and in nothing else, in their order, without clones."""
    alike = defaultdict[str, list[Cell]](list)
    for cell in cells:
        if not cell.replica and get_axis_value(cell, axis) is not None:
            alike[hash_other_values(cell, axis)].append(cell)
    return [tuple(series) for series in alike.values() if len(series) > 1]


def hash_other_values(cell: Cell, axis: str) -> str:
    """Return a text that is equal for cells with equal values on all other axes."""
    content = cell.model_dump()
    content["parameters"] = {name: value for name, value in cell.parameters.items() if name != axis}
    if axis == PRECISION:
        content |= {"dtype": "", "mode": find_floating_mode(cell)}
    elif axis in CELL_AXES:
        del content[axis]
    if axis == "variant":
        del content["code"]  # of two implementations, it is always another
    return json.dumps(content, sort_keys=True)


def find_floating_mode(cell: Cell) -> str:
    """Return the mode of a cell, or the one in floating point that a mode in 8 bits is made of."""
    return FLOATING_MODES.get((cell.framework, cell.mode), cell.mode)


def check_axis(cells: Sequence[Cell], axis: str, fix: str = "") -> None:
    """Check that these cells can be compared along an axis; `fix` tells how a request gets more values.

    Raises:
        UsageError: there is no such axis, or no cells differ in nothing else.
    """
    names = list_axes(cells)
    if axis not in names:
        raise UsageError(f"unknown axis {axis!r} to compare by; valid: {', '.join(names)}")
    if not collect_series(cells, axis):
        varied = [name for name in names if collect_series(cells, name)]
        raise UsageError(
            f"nothing to compare by {axis}: no mode has two values of it; {fix or describe_varied(varied)}"
        )


def describe_varied(axes: Sequence[str]) -> str:
    """Describe the axes along which a finished run can be compared."""
    return f"compare by {' or '.join(axes)}" if axes else "this run has no axis with two values"


def format_axis_value(axis: str, value: AxisValue) -> str:
    """Return a value of an axis as the end of a noun phrase: `with 2 threads`, `in bfloat16`."""
    match axis:
        case "threads":
            return f"with {value} thread{'' if value == 1 else 's'}"
        case "batch":
            return f"of batch {value}"
        case "dtype" | "precision" | "environment":
            return f"in {value}"
        case "device":
            return f"on {value}"
        case "task":
            return f"of task {value}"
        case "cache":
            return f"with a {value} cache"
        case _:
            return f"with {axis} {value}"


def list_values(cells: Iterable[Cell], axis: str) -> Iterator[AxisValue]:
    """Yield each value of an axis once, in the order of the cells."""
    found = (get_axis_value(cell, axis) for cell in cells if not cell.replica)
    yield from dict.fromkeys(value for value in found if value is not None)
