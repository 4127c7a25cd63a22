"""CSV as in RFC 4180: a row of names, then a row for each cell, job or sample. What is not there is empty.

A name or reason that a spreadsheet would take for a formula is kept as text by an apostrophe before it.
"""

import csv
import io

from orchestrator.api import Run
from orchestrator.report.rows import Per
from orchestrator.report.rows_of_jobs import Scalar

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
    """Truth as JSON writes it, which every reader of tables knows."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
