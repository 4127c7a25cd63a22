"""The answer for a group in one sentence, for readers who stop there."""

from collections.abc import Iterator

from orchestrator.analysis.results import Group
from orchestrator.report.units import format_duration
from orchestrator.report.words import describe_fastest, join_names


def write_headline(group: Group) -> Iterator[str]:
    """Yield the fastest mode, or the reason why none can be named."""
    standings = group.standings
    if not standings:
        yield "No mode was measured."
    elif len(standings) == 1:
        (alone,) = standings
        time = format_duration(group.result(alone.cell).floor_ns.estimate)
        yield f"Only {alone.cell} was measured, at {time} per call."
    else:
        yield from list(describe_fastest(group)) or [
            f"The fastest is {join_leaders(group)}; this run cannot tell which."
        ]


def join_leaders(group: Group) -> str:
    """Return the modes that may be the fastest, as a list in words."""
    return join_names([standing.cell for standing in group.standings if standing.best == 1])
