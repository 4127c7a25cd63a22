"""Display names for the cells of one sweep and their computations, as short as they can be while still distinct."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from schemas.job import Cell


def label_cells(cells: Iterable[Cell]) -> Mapping[str, str]:
    """Return a label for each cell, by its id; cells that are compared with each other have different labels.

    With TensorFlow in a single environment, the label is `tensorflow:function`. With several, an environment that is
    not named like the framework is part of the label: `tensorflow@2.20:function`.
    """
    cells = tuple(cells)
    homes: defaultdict[str, set[str]] = defaultdict(set)
    for cell in cells:
        homes[cell.framework].add(cell.environment)
    return {
        cell.id: f"{format_framework(cell, several=len(homes[cell.framework]) > 1)}{format_mode(cell)}"
        for cell in cells
    }


def format_framework(cell: Cell, *, several: bool) -> str:
    """Return the framework, with the environment if it has several."""
    if not several or cell.environment == cell.framework:
        return cell.framework
    return f"{cell.framework}@{cell.environment.removeprefix(f'{cell.framework}@')}"


def format_mode(cell: Cell) -> str:
    """Return the mode, and the mark of a clone."""
    return cell.label.removeprefix(cell.framework)


def format_title(cell: Cell) -> str:
    """Return the title of a cell's computation; cells of the same title may be compared."""
    sizes = " ".join(format_parameters(cell).values())
    return ", ".join((f"{cell.workload} {cell.task} ({sizes})", *filter(None, format_conditions(cell).values())))


def describe_computations(cells: Iterable[Cell]) -> Mapping[str, str]:
    """Describe each cell's computation, by its id: workload, task and the conditions that differ among such cells."""
    alike: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        alike[f"{cell.workload} {cell.task}"].append(cell)
    found = {}
    for name, among in alike.items():
        sizes, said = (
            drop_common_words(list(map(format_parameters, among))),
            drop_common_words(list(map(format_conditions, among))),
        )
        for cell, size, condition in zip(among, sizes, said, strict=True):
            found[cell.id] = ", ".join((" ".join((name, *size)), *condition))
    return found


def drop_common_words(said: Sequence[Mapping[str, str]]) -> Iterator[list[str]]:
    """Yield for each cell the words that are not common to all cells."""
    common = set.intersection(*(set(each.items()) for each in said))
    return ([text for item in each.items() if item not in common and (text := item[1])] for each in said)


def format_parameters(cell: Cell) -> dict[str, str]:
    """Return the parameters of a cell, in words."""
    return {name: f"{name}={value}" for name, value in cell.parameters.items()}


def format_conditions(cell: Cell) -> dict[str, str]:
    """Return all other conditions of a cell's computation, in words; empty for the usual value."""
    return {
        "batch": f"batch {cell.batch}",
        "dtype": cell.dtype,
        "threads": f"{cell.threads} thread{'s' if cell.threads > 1 else ''}",
        "device": cell.device,
        "track": "" if cell.track == "parity" else cell.track,
        "cache": "" if cell.cache == "cold" else "warm cache",
        "shapes": "" if cell.shapes == "fixed" else "stream of shapes",
        "origin": "" if cell.origin == "source" else "from a file",
    }
