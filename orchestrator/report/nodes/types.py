"""The results of a run on each type of machine that has measured it, and where their orders differ."""

from collections import defaultdict

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.nodes.turnarounds import find_turnarounds
from orchestrator.analysis.run import Run
from orchestrator.report.nodes.sentences import describe_turnarounds


def describe_run_turnarounds(run: Run) -> list[str]:
    """Return a sentence for each pair that one type of machine orders one way and another type the other way."""
    if not run.others:
        return []
    by_title = defaultdict[str, dict[str, tuple[Comparison, ...]]](dict)
    for of_type in (run, *run.others):
        for group in of_type.groups:
            by_title[group.title][of_type.machine_type.content_hash] = group.comparisons
    found = {title: describe_turnarounds(find_turnarounds(by_type)) for title, by_type in by_title.items()}
    several = len(by_title) > 1
    return [f"{title}: {said}" if several else said for title, sentences in found.items() for said in sentences]
