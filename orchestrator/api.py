"""Python API of runs: load one, and read its cells, verdicts and raw figures as values or as a table.

from orchestrator.api import load

run = load("latest")
for cell in run.cells:
    print(cell.label, cell.outcome, cell.floor_ns)
print(run.frame().sort_values("floor_ns"))
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator import comparing, store
from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.results import Group, Result, group_results
from orchestrator.comparing import Compared
from orchestrator.errors import UsageError
from orchestrator.report.rows import Per, build_rows
from orchestrator.report.rows_of_jobs import Row
from orchestrator.store import LATEST
from schemas.record import JobRecord, Manifest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Compared", "Comparison", "Group", "JobRecord", "Manifest", "Result", "Row", "Run", "compare", "load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. `records` are its jobs in the order in which they ran; `groups` are the results of its cells."""

    name: str
    manifest: Manifest
    records: tuple[JobRecord, ...]
    groups: tuple[Group, ...]

    @property
    def cells(self) -> tuple[Result, ...]:
        """Each cell over all its processes; an unmeasured one has an outcome and a reason, but no rank."""
        return tuple(result for group in self.groups for result in group.results)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Verdicts on all pairs of cells that compute the same."""
        return tuple(comparison for group in self.groups for comparison in group.comparisons)

    def rows(self, per: Per = "cell") -> list[Row]:
        """Return a dictionary for each cell, job or sample, with the columns of `export --format csv` (see docs/)."""
        return build_rows(self.name, self.manifest, self.records, self.groups, per)

    def frame(self, per: Per = "cell") -> "pd.DataFrame":
        """Return the same rows as a pandas data frame; for Polars: `polars.DataFrame(run.rows())`.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise UsageError("a frame needs pandas: pip install 'plumbline[frames]'") from error
        return pd.DataFrame(self.rows(per))


def load(run: str | Path = LATEST, runs: str | Path = "runs") -> Run:
    """Load the run with that path, name or part of a name; `latest` is the newest in the folder `runs`.

    Raises:
        UsageError: no run or several runs match, or one of its files is not of this version.
    """
    found = store.find_run(Path(runs), str(run))
    manifest, records = found.read_manifest(), found.read_records()
    asked = manifest.sweep
    return Run(
        name=found.name,
        manifest=manifest,
        records=tuple(records),
        groups=group_results(records, manifest.cells, asked.baseline, asked.margin, asked.rank_by),
    )


def compare(one: str, other: str, runs: str | Path = "runs", *, at_face_value: bool = False) -> Compared:
    """Compare two runs like the command `compare`: what is faster, slower or the same in the second.

    Raises:
        UsageError: they cannot be compared.
    """
    return comparing.compare_sides(Path(runs), one, other, at_face_value=at_face_value)
