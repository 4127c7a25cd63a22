"""Markdown in which all text is escaped: no character of it is taken for markup."""

import re
from collections.abc import Iterable, Sequence

from orchestrator.report.units import printable

MARKS = re.compile(r"([\\`*_{}\[\]<>#|~])")


def plain(text: str) -> str:
    """Return text on one line, with all characters of Markdown escaped."""
    # A line break would end a row or an item.
    return MARKS.sub(r"\\\1", " ".join(printable(text).split()))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; all columns but the first hold numbers or short words and are right-aligned."""
    rule = ["---", *("---:" for _ in headings[1:])]
    lines = [[plain(cell) for cell in headings], rule, *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def listing(sentences: Iterable[str]) -> str:
    """Return sentences as the items of a list."""
    return "\n".join(f"- {plain(sentence)}" for sentence in sentences)


def quote(lines: Iterable[str]) -> str:
    """Return lines as a block quotation, each a paragraph."""
    return "\n>\n".join(f"> {plain(line)}" for line in lines)
