"""Display names for the cells of one sweep and their computations, as short as they can be while still distinct."""

import itertools
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from schemas.job import Cell


def label_cells(cells: Iterable[Cell]) -> Mapping[str, str]:
    """Return a label for each cell, by its id; cells that are compared with each other have different labels.

    With TensorFlow in a single environment, the label is `tensorflow:function`. With several, an environment that is
    not named like the framework is part of the label: `tensorflow@2.20:function`. Of interpreters' paths, that is the
    part that differs.
    """
    cells = tuple(cells)
    short = shorten_paths(cell.environment for cell in cells)
    homes: defaultdict[str, set[str]] = defaultdict(set)
    for cell in cells:
        homes[cell.framework].add(cell.environment)
    return {
        cell.id: format_framework(cell, short, several=len(homes[cell.framework]) > 1) + format_mode(cell)
        for cell in cells
    }


def shorten_paths(environments: Iterable[str]) -> dict[str, str]:
    """Return the part of each interpreter's path that tells it from the others, such as `venv-base`.

    Of a single path, and of paths of which one has no such part, that is the whole.
    """
    paths = {name: Path(name).parts for name in environments if os.sep in name}
    start, end = count_common(paths.values()), count_common(parts[::-1] for parts in paths.values())
    different = {name: parts[start : len(parts) - end] for name, parts in paths.items()}
    return {name: str(Path(*parts)) if all(different.values()) else name for name, parts in different.items()}


def count_common(sequences: Iterable[Sequence[str]]) -> int:
    """Count the first items that are the same in all sequences."""
    return sum(1 for _ in itertools.takewhile(lambda items: len({*items}) == 1, zip(*sequences, strict=False)))


def format_framework(cell: Cell, short: Mapping[str, str], *, several: bool) -> str:
    """Return the framework, with the environment if it has several."""
    if not several or cell.environment == cell.framework:
        return cell.framework
    name = short.get(cell.environment, cell.environment)
    return f"{cell.framework}@{name.removeprefix(f'{cell.framework}@')}"


def format_mode(cell: Cell) -> str:
    """Return the mode, the variant if there are several, and the mark of a clone."""
    return cell.label.removeprefix(cell.framework)


def format_title(cell: Cell, *, without: str = "") -> str:
    """Return the title of a cell's computation; cells of the same title may be compared.

    `without` is the axis that a comparison runs along: its value is left out, be it a parameter or another condition.
    """
    sizes = [text for name, text in format_parameters(cell).items() if name != without]
    hidden = "dtype" if without == "precision" else without
    conditions = [text for name, text in format_conditions(cell).items() if name != hidden]
    task = "" if without == "task" else f" {cell.task}"
    size = f" ({' '.join(sizes)})" if sizes else ""
    return ", ".join((f"{cell.workload}{task}{size}", *filter(None, conditions)))


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
        "dtype": cell.precision,
        "threads": f"{cell.threads} thread{'s' if cell.threads > 1 else ''}",
        "device": cell.device,
        "track": "" if cell.track == "parity" else cell.track,
        "cache": "" if cell.cache == "cold" else "warm cache",
        "shapes": "" if cell.shapes == "fixed" else "stream of shapes",
        "origin": "" if cell.origin == "source" else "from a file",
        "tuning": "" if cell.tuning == "none" else cell.tuning,
    }
