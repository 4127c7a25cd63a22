"""Text as Markdown that says what it says: no character of it is taken for a mark."""

import re
from collections.abc import Iterable, Sequence

from orchestrator.report.units import printable

MARKS = re.compile(r"([\\`*_{}\[\]<>#|~])")


def plain(text: str) -> str:
    """Text on one line in which no character has a meaning of its own."""
    return MARKS.sub(r"\\\1", " ".join(printable(text).split()))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but the first are numbers or short words, and stand to the right."""
    rule = ["---", *("---:" for _ in headings[1:])]
    lines = [[plain(cell) for cell in headings], rule, *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def listing(sentences: Iterable[str]) -> str:
    """Sentences, each an item of a list."""
    return "\n".join(f"- {plain(sentence)}" for sentence in sentences)


def quote(lines: Iterable[str]) -> str:
    """Lines that stand apart, as a quotation does."""
    return "\n>\n".join(f"> {plain(line)}" for line in lines)
