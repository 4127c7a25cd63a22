"""Python API: load a run and read its results as values or as a table, and compare functions or runs.

from orchestrator.api import load

run = load("latest")
for cell in run.cells:
    print(cell.label, cell.outcome, cell.floor_ns)
print(run.frame().sort_values("floor_ns"))
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import overload

from orchestrator.analysis.axis import AxisRow, AxisTable
from orchestrator.analysis.compare import Comparison, Verdict
from orchestrator.analysis.job_rows import Row
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.run import Run
from orchestrator.comparison.compare import Compared, compare_sides
from orchestrator.errors import NotMeasured, Unresolved, UsageError
from orchestrator.functions.results import FunctionComparison, FunctionResult
from orchestrator.records import store
from orchestrator.records.store import LATEST
from schemas.record import JobRecord, Manifest

__all__ = [
    "AxisRow",
    "AxisTable",
    "Compared",
    "Comparison",
    "FunctionComparison",
    "FunctionResult",
    "Group",
    "JobRecord",
    "Manifest",
    "NotMeasured",
    "Result",
    "Row",
    "Run",
    "Unresolved",
    "UsageError",
    "Verdict",
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


@overload
def compare(one: str, other: str, runs: str | Path = "runs", *, at_face_value: bool = False) -> Compared: ...


@overload
def compare(
    one: Mapping[str, str | Callable[..., object]],
    *,
    runs: str | Path = "runs",
    inputs: str = "",
    progress: bool = True,
    **settings: object,
) -> FunctionComparison: ...


def compare(
    one: str | Mapping[str, str | Callable[..., object]],
    other: object = "",
    runs: str | Path = "runs",
    *,
    at_face_value: object = False,
    inputs: str = "",
    progress: bool = True,
    **settings: object,
) -> Compared | FunctionComparison:
    """Compare functions by measuring them, or two runs like the command `compare`.

    Functions are named by the import paths of their objects: `{"eager": "pkg.mod:f", "fast": "pkg.mod:g"}`. `inputs`
    names the function that draws the arguments of a call. `settings` are those of a sweep, such as `budget="5m"`,
    `batch=8`, `dtype="bfloat16"` or `modes=["torch:eager", "torch:compile"]`.

    Raises:
        UsageError: they cannot be compared.
        KeyboardInterrupt: Ctrl-C ended the measurement; what was measured is kept in `runs`.
    """
    if isinstance(one, str):
        return compare_sides(Path(runs), one, str(other), at_face_value=bool(at_face_value))
    # A program that only reads runs needs nothing that starts processes.
    from orchestrator.functions.compare import compare_functions

    return compare_functions(one, inputs, runs=Path(runs), progress=progress, **settings)
