"""The measured cells of a run, each under a name that stays the same from run to run."""

from orchestrator.analysis.results import Result
from orchestrator.analysis.run import Run


def list_measured_results(run: Run) -> list[tuple[str, Result]]:
    """Return each measured cell's result under its mode and computation.

    Where a run has several environments, the mode's label includes its environment. A mixed run's names are marked,
    so that no program takes its times for those of an unmixed one.
    """
    return [
        (f"{result.label}, {group.title}", result)
        for group in run.groups
        for result in group.results
        if result.outcome == "measured"
    ]
