"""A run with its results: the manifest, the last attempt of each job, and the groups of compared cells."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.job_rows import Row
from orchestrator.analysis.results import Group, Result, group_results
from orchestrator.analysis.rows import Per, build_rows
from orchestrator.errors import UsageError
from schemas.record import JobRecord, Manifest


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
            raise UsageError("a frame needs pandas: pip install 'plumbline-ml[frames]'") from error
        return pd.DataFrame(self.rows(per))


def build_groups(manifest: Manifest, records: Sequence[JobRecord]) -> tuple[Group, ...]:
    """Compute a run's results, marked as MIXED if its parts differ."""
    asked = manifest.sweep
    found = group_results(records, manifest.cells, asked.baseline, asked.margin, asked.rank_by)
    if not manifest.mixed:
        return found
    return tuple(dataclasses.replace(each, title=f"MIXED: {each.title}") for each in found)
