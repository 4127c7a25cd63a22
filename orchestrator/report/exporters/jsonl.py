"""JSON Lines: an object for each cell, job or sample, with every column. What is not there is null."""

import json

from orchestrator.api import Run
from orchestrator.report.rows import Per


def export(run: Run, per: Per) -> bytes:
    """One table."""
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in run.rows(per)).encode()
