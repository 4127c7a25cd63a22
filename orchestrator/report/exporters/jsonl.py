"""JSON Lines: an object for each cell, job or sample, with every column. Missing values are null."""

import json

from orchestrator.api import Run
from orchestrator.report.rows import Per


def export_table(run: Run, per: Per) -> bytes:
    """Return the table, one object per line."""
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in run.rows(per)).encode()
