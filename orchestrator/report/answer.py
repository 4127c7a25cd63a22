"""The answer for a group in one sentence, for readers who stop there."""

from collections.abc import Iterator

from orchestrator.analysis.results import Group
from orchestrator.report.units import duration
from orchestrator.report.words import fastest, listed


def answer(group: Group) -> Iterator[str]:
    """Yield the fastest mode, or the reason why none can be named."""
    standings = group.standings
    if not standings:
        yield "No mode was measured."
    elif len(standings) == 1:
        (alone,) = standings
        time = duration(group.result(alone.cell).floor_ns.estimate)
        yield f"Only {alone.cell} was measured, at {time} per call."
    else:
        yield from list(fastest(group)) or [f"The fastest is {names(group)}; this run cannot tell which."]


def names(group: Group) -> str:
    """Return the modes that may be the fastest, as a list in words."""
    return listed([standing.cell for standing in group.standings if standing.best == 1])
