"""The measured cells of a run, each under a name that is the same in every run of the same."""

from collections.abc import Iterator

from orchestrator.analysis.results import Result
from orchestrator.api import Run


def measured(run: Run) -> Iterator[tuple[str, Result]]:
    """Mode and computation, with the environment where that is not the usual one; and what was found."""
    for group in run.groups:
        for result in group.results:
            if result.outcome == "measured":
                place = "" if result.cell.environment == "current" else f", in {result.cell.environment}"
                yield f"{result.label}, {group.title}{place}", result
