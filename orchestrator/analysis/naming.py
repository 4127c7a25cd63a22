"""What a person calls the cells of one sweep, and what they compute, in as few words as tell them apart."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

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


def title(cell: Cell) -> str:
    """What a cell computes, in words: cells of the same title may be compared."""
    sizes = " ".join(sizes_of(cell).values())
    return ", ".join((f"{cell.workload} {cell.task} ({sizes})", *filter(None, conditions(cell).values())))


def computed(cells: Iterable[Cell]) -> Mapping[str, str]:
    """What each cell computes, by its id: the workload and task, and of the rest what differs among cells of these."""
    alike: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        alike[f"{cell.workload} {cell.task}"].append(cell)
    found = {}
    for name, among in alike.items():
        sizes, said = apart(list(map(sizes_of, among))), apart(list(map(conditions, among)))
        for cell, size, condition in zip(among, sizes, said, strict=True):
            found[cell.id] = ", ".join((" ".join((name, *size)), *condition))
    return found


def apart(said: Sequence[Mapping[str, str]]) -> Iterator[list[str]]:
    """Of what is said of each cell, that which is not said of all."""
    common = set.intersection(*(set(each.items()) for each in said))
    return ([text for item in each.items() if item not in common and (text := item[1])] for each in said)


def sizes_of(cell: Cell) -> dict[str, str]:
    """The parameters of a cell, in words."""
    return {name: f"{name}={value}" for name, value in cell.parameters.items()}


def conditions(cell: Cell) -> dict[str, str]:
    """Everything else that says what is computed and how, in words; empty where it is as it always is."""
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
