"""What a person calls the cells of one sweep: framework and mode, and where these are the same, the environment too."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from schemas.job import Cell


def labels(cells: Iterable[Cell]) -> Mapping[str, str]:
    """A name for each cell, by its id; cells that are compared with each other have different ones.

    `tensorflow:function` is enough where the sweep has TensorFlow in one environment alone. Where it has several, those
    that are not called like the framework itself stand in the name: `tensorflow@2.20:function`.
    """
    cells = tuple(cells)
    homes: defaultdict[str, set[str]] = defaultdict(set)
    for cell in cells:
        homes[cell.framework].add(cell.environment)
    return {cell.id: f"{head(cell, several=len(homes[cell.framework]) > 1)}{tail(cell)}" for cell in cells}


def head(cell: Cell, *, several: bool) -> str:
    """The framework, with what tells its environments apart."""
    if not several or cell.environment == cell.framework:
        return cell.framework
    return f"{cell.framework}@{cell.environment.removeprefix(f'{cell.framework}@')}"


def tail(cell: Cell) -> str:
    """The mode, and the mark of a clone."""
    return cell.label.removeprefix(cell.framework)
