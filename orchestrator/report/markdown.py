"""Markdown in which all text is escaped: no character of it is taken for markup."""

import re
from collections.abc import Iterable, Sequence

from orchestrator.format import to_printable

MARKUP_CHARACTERS = re.compile(r"([\\`*_{}\[\]<>#|~])")


def escape_markdown(text: str) -> str:
    """Return text on one line, with all characters of Markdown escaped."""
    # A line break would end a row or an item.
    return MARKUP_CHARACTERS.sub(r"\\\1", " ".join(to_printable(text).split()))


def format_markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; all columns but the first hold numbers or short words and are right-aligned."""
    rule = ["---", *("---:" for _ in headings[1:])]
    lines = [
        [escape_markdown(cell) for cell in headings],
        rule,
        *([escape_markdown(cell) for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_markdown_list(sentences: Iterable[str]) -> str:
    """Return sentences as the items of a list."""
    return "\n".join(f"- {escape_markdown(sentence)}" for sentence in sentences)


def format_markdown_quote(lines: Iterable[str]) -> str:
    """Return lines as a block quotation, each a paragraph."""
    return "\n>\n".join(f"> {escape_markdown(line)}" for line in lines)
