"""The measured cells of a run, each under a name that is the same in every run of the same."""

from collections import Counter

from orchestrator.analysis.results import Result
from orchestrator.api import Run


def measured(run: Run) -> list[tuple[str, Result]]:
    """Mode and computation, with the environment where the same is in several; and what was found."""
    found = [(f"{result.label}, {group.title}", result) for group in run.groups for result in group.results]
    times = Counter(name for name, _ in found)
    return [
        (name if times[name] == 1 else f"{name}, in {result.cell.environment}", result)
        for name, result in found
        if result.outcome == "measured"
    ]
