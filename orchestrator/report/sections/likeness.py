"""Columns that compare a model with the first one of its sweep, and with the right answers."""

from collections.abc import Callable, Mapping
from typing import Final

from orchestrator.analysis.results import Group, Result
from schemas.models import Likeness


def format_distance(likeness: Likeness) -> str:
    """Return the error against the first model: `0.0012`; empty: it was not compared."""
    return "" if likeness.error is None else f"{likeness.error:.2g}"


def format_share(likeness: Likeness) -> str:
    """Return the share of answers that are as labelled: `87.5 %`; empty: there are no labels."""
    return f"{100 * (likeness.right or 0) / likeness.answers:.1f} %" if likeness.answers else ""


COLUMNS: Final[Mapping[str, Callable[[Likeness], str]]] = {
    "error to\nthe first": format_distance,
    "right\nanswers": format_share,
}


def list_columns(group: Group) -> list[str]:
    """Return the headings of the columns that have something to say about this group."""
    return [heading for heading, form in COLUMNS.items() if any(form(result.likeness) for result in group.results)]


def format_cells(result: Result) -> dict[str, str]:
    """Return the text in each column, by its heading."""
    return {heading: form(result.likeness) for heading, form in COLUMNS.items()}
