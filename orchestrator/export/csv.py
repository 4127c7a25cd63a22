"""CSV by RFC 4180: a row of names, then a row for each cell, job or sample. Missing values are empty.

An apostrophe precedes text that a spreadsheet would evaluate as a formula. Control characters are replaced, because a
terminal would obey them.
"""

import csv
import io

from orchestrator.analysis.job_rows import Scalar
from orchestrator.analysis.rows import Per
from orchestrator.analysis.run import Run
from orchestrator.format import to_printable

# First characters by which spreadsheets recognise a formula.
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")


def export_table(run: Run, per: Per) -> bytes:
    """Return the table as UTF-8."""
    rows = run.rows(per)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows({name: format_value(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def format_value(value: Scalar) -> Scalar:
    """Format a value for the table. Booleans are written as in JSON, which every reader knows."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return value
    return to_printable(f"'{value}" if value.startswith(FORMULA_PREFIXES) else value)
