"""The pairs of cells that a sweep compares: by default each mode with the baseline and with the mode it has to beat."""

from collections.abc import Mapping
from itertools import combinations
from typing import Final

from schemas.catalog import FRAMEWORKS
from schemas.job import Cell
from schemas.sweep import ComparedPairs

# The mode that each compiled mode has to beat, by framework and mode.
SIBLINGS: Final = {(each.name, mode.name): mode.sibling for each in FRAMEWORKS for mode in each.modes if mode.sibling}


def choose_pairs(cells: Mapping[str, Cell], baseline: str, compared: ComparedPairs) -> list[tuple[str, str]]:
    """Return the pairs of these cells, by label, to compare as one family of tests, each once.

    A smaller family needs fewer blocks. `asked`: each cell with the baseline, with its sibling if it has one, and with
    the same mode of the first variant if there are several.
    """
    if compared == "all":
        return list(combinations(cells, 2))
    with_baseline = [(baseline, label) for label in cells if label != baseline and baseline in cells]
    with_sibling = [(sibling, label) for label in cells if (sibling := find_sibling_label(cells, label))]
    with_first = [(first, label) for label in cells if (first := find_first_variant(cells, label))]
    found: dict[frozenset[str], tuple[str, str]] = {}
    for pair in (*with_baseline, *with_sibling, *with_first):
        found.setdefault(frozenset(pair), pair)
    return list(found.values())


def find_sibling_label(
    cells: Mapping[str, Cell], label: str, siblings: Mapping[tuple[str, str], str] = SIBLINGS
) -> str:
    """Return the label of the mode that a compiled one has to beat, in the same framework and environment.

    Empty if it is not among these cells.
    """
    own = cells[label]
    due = own.framework, siblings.get((own.framework, own.mode)), own.environment, own.variant, 0
    found = (
        other
        for other, cell in cells.items()
        if (cell.framework, cell.mode, cell.environment, cell.variant, cell.replica) == due
    )
    return next(found, "")


def find_first_variant(cells: Mapping[str, Cell], label: str) -> str:
    """Return the label of the same mode in the first variant; empty if this is the first one, or the mode differs."""
    own = cells[label]
    due = own.framework, own.mode, own.environment, 0
    alike = (
        other for other, cell in cells.items() if (cell.framework, cell.mode, cell.environment, cell.replica) == due
    )
    first = next(alike, "")
    return "" if not own.variant or first == label or own.replica else first
