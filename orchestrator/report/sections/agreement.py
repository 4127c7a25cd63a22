"""The cells that agree with each other: in sentences, as a matrix, and as data."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.agreement import Agreement, Difference, compare_results
from orchestrator.analysis.results import Group
from orchestrator.analysis.rows import finite_or_none
from orchestrator.format import format_error, join_names, to_printable
from orchestrator.report.tables import FittingTable, make_table, name_column, number_columns

TITLE = "Largest relative difference of results"
MARKS = {True: "=", False: "≠"}
REFERENCE = "reference"

Square: TypeAlias = Difference | str | None


def describe_agreement(group: Group) -> Iterator[str]:
    """Yield which cells agree with each other, within what, and how far the others are from them."""
    found = compare_results(group)
    if found is None:
        return
    most, *others = found.agreeing_sets
    if len(most) == 1:
        yield describe_disagreement(found)
        return
    elsewhere = [each for each in found.labels if found.from_reference[each].agrees and is_wrong(group, each)]
    said = describe_party(most, found, is_whole=not others)
    if all(not found.from_reference[label].agrees for label in most):
        worst = max((found.from_reference[label] for label in most), key=lambda each: each.error)
        said += f", and none with the reference, from which they differ {describe_difference(worst)}"
    yield "; ".join([said, *describe_others(most, others, found)]) + "."
    if elsewhere:
        names, verb = join_names(elsewhere, "and"), "was" if len(elsewhere) == 1 else "were"
        yield f"{names} {verb} right in the first calls, which are compared here, and wrong later."


def is_wrong(group: Group, label: str) -> bool:
    """Return whether a cell's results are wrong in some call."""
    return group.result(label).outcome == "wrong"


def describe_disagreement(found: Agreement) -> str:
    """Describe cells of which no two agree."""
    names, largest = join_names(found.labels, "and"), found.find_largest(found.labels)
    if len(found.labels) > 2 or largest is None:
        return f"No two of {names} agree with each other."
    return f"{names} differ {describe_difference(largest)}."


def describe_party(labels: Sequence[str], found: Agreement, *, is_whole: bool = False) -> str:
    """Describe cells that agree with each other, and how closely."""
    names = f"All {len(labels)} modes" if is_whole and len(labels) > 2 else join_names(labels, "and")
    largest = found.find_largest(labels)
    assert largest is not None, "cells agree if they were compared"
    how = f"within {format_error(largest.error, math.ceil)}" if largest.error else "exactly"
    return f"{names} agree with each other {how}"


def describe_others(most: Sequence[str], others: Sequence[Sequence[str]], found: Agreement) -> Iterator[str]:
    """Yield how far each further set of cells is from most."""
    for labels in others:
        if (largest := found.find_largest(most, labels)) is None:
            continue  # other weights or inputs: a difference says nothing
        names, verb = join_names(labels, "and"), "differs" if len(labels) == 1 else "agree, but differ"
        yield f"{names} {verb} from them {describe_difference(largest)}"


def describe_difference(found: Difference) -> str:
    """Describe the size and the place of a difference."""
    if math.isinf(found.error):
        return f"in {format_tensor(found.tensor)}, which cannot be compared"
    return f"by {format_error(found.error)} in {format_tensor(found.tensor)}"


def format_tensor(tensor: str) -> str:
    """Return the name of a tensor with an article where it needs one."""
    return tensor if tensor.startswith("output ") else f"the {tensor}"


def build_tables(group: Group) -> Iterator[RenderableType]:
    """Yield the matrix of a group; none where it says no more than the verdicts."""
    if found := compare_results(group):
        yield FittingTable(partial(draw_matrices, found))


def draw_matrices(found: Agreement, _width: int) -> Iterator[Table]:
    """Yield the matrix with numbers, then with marks alone."""
    for with_numbers in (True, False):
        headings = (REFERENCE if with_numbers else "ref", *list_numbers(found))
        drawn = make_table(name_column("mode"), *number_columns(*headings), title=TITLE, gap=1)
        for number, (label, squares) in enumerate(list_rows(found), 1):
            name = Text(f"{number} {to_printable(label)}")
            drawn.add_row(name, *(style_square(each, with_numbers=with_numbers) for each in squares))
        yield drawn


def list_numbers(found: Agreement) -> list[str]:
    """Return the headings of the columns of pairs: all cells but the last, by their numbers."""
    return [str(number) for number in range(1, len(found.labels))]


def list_rows(found: Agreement) -> Iterator[tuple[str, list[Square]]]:
    """Yield for each cell its label, then its differences from the reference and from the cells before it.

    A pair that is not compared has None, and the rest of the row is empty.
    """
    for place, label in enumerate(found.labels):
        before = [found.find_pair(other, label) for other in found.labels[:place]]
        yield label, [found.from_reference[label], *before, *[""] * (len(found.labels) - 1 - place)]


def style_square(square: Square, *, with_numbers: bool) -> Text:
    """Return the text of a square: pairs that do not agree in red."""
    is_bad = isinstance(square, Difference) and not square.agrees
    return Text(format_square(square, with_numbers=with_numbers), style="bold red" if is_bad else "")


def format_square(square: Square, *, with_numbers: bool = True) -> str:
    """Return a difference with its mark, `2e-7 =`, or a dash for a pair that is not compared."""
    if not isinstance(square, Difference):
        return "–" if square is None else square
    mark = MARKS[square.agrees]
    return f"{format_error(square.error)} {mark}" if with_numbers else mark


def agreement_to_dict(group: Group) -> dict[str, Any] | None:
    """Return the differences as data; None where they say no more than the verdicts."""
    found = compare_results(group)
    if found is None:
        return None
    return {
        "cells": list(found.labels),
        "agreeing": [list(labels) for labels in found.agreeing_sets],
        "from_reference": {label: difference_to_dict(each) for label, each in found.from_reference.items()},
        "pairs": [{"cells": list(ends), **difference_to_dict(each)} for ends, each in found.pairs.items()],
    }


def difference_to_dict(found: Difference) -> dict[str, Any]:
    """Return a difference as data."""
    return {"tensor": found.tensor, "error": finite_or_none(found.error), "agrees": found.agrees}
