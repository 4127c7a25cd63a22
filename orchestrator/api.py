"""Python API of runs: load one, and read its cells, verdicts and raw figures as values or as a table.

from orchestrator.api import load

run = load("latest")
for cell in run.cells:
    print(cell.label, cell.outcome, cell.floor_ns)
print(run.frame().sort_values("floor_ns"))
"""

from pathlib import Path

from orchestrator.analysis.axis import AxisRow, AxisTable
from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.job_rows import Row
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.run import Run
from orchestrator.comparison.compare import Compared, compare_sides
from orchestrator.records import store
from orchestrator.records.store import LATEST
from schemas.record import JobRecord, Manifest

__all__ = [
    "AxisRow",
    "AxisTable",
    "Compared",
    "Comparison",
    "Group",
    "JobRecord",
    "Manifest",
    "Result",
    "Row",
    "Run",
    "compare",
    "load",
]


def load(run: str | Path = LATEST, runs: str | Path = "runs") -> Run:
    """Load the run with that path, name or part of a name; `latest` is the newest in the folder `runs`.

    Records that cannot be read are left out, and named in the run's `skipped`.

    Raises:
        UsageError: no run or several runs match, or its manifest is not of this version.
    """
    return Run.from_store(store.find_run(Path(runs), str(run)))


def compare(one: str, other: str, runs: str | Path = "runs", *, at_face_value: bool = False) -> Compared:
    """Compare two runs like the command `compare`: what is faster, slower or the same in the second.

    Raises:
        UsageError: they cannot be compared.
    """
    return compare_sides(Path(runs), one, other, at_face_value=at_face_value)
