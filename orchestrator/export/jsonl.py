"""JSON Lines: an object for each cell, job or sample, with every column. Missing values are null."""

import json

from orchestrator.analysis.rows import Per
from orchestrator.analysis.run import Run


def export_table(run: Run, per: Per) -> bytes:
    """Return the table, one object per line."""
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in run.rows(per)).encode()
