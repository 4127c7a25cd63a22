"""The measured cells of a run, each under a name that is the same in every run of the same."""

from orchestrator.analysis.results import Result
from orchestrator.api import Run


def measured(run: Run) -> list[tuple[str, Result]]:
    """Mode and computation, and what was found; the mode's label has the environment where there are several."""
    return [
        (f"{result.label}, {group.title}", result)
        for group in run.groups
        for result in group.results
        if result.outcome == "measured"
    ]
