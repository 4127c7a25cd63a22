"""CSV as in RFC 4180: a row of names, then a row for each cell, job or sample. What is not there is empty.

Text that a spreadsheet would take for a formula is kept as text by an apostrophe before it, and has no characters that
a terminal would obey.
"""

import csv
import io

from orchestrator.api import Run
from orchestrator.report.rows import Per
from orchestrator.report.rows_of_jobs import Scalar
from orchestrator.report.units import printable

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export(run: Run, per: Per) -> bytes:
    """One table."""
    rows = run.rows(per)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows({name: shown(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def shown(value: Scalar) -> Scalar:
    """A value as it stands in the table; truth as JSON writes it, which every reader knows."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return value
    return printable(f"'{value}" if value.startswith(FORMULA) else value)
