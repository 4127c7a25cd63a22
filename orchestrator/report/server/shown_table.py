"""A table on a page of the server."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table: its caption, its headings, and its rows of texts, whose first cell names the row.

    `modes` are those whose history can be asked for, each with the key of that.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    modes: Sequence[tuple[str, str]] = ()
