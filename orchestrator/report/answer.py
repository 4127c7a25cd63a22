"""The answer to a group in a sentence or two, for those who read no further."""

from collections.abc import Iterator

from orchestrator.analysis.results import Group
from orchestrator.report.units import duration
from orchestrator.report.words import fastest, listed


def answer(group: Group) -> Iterator[str]:
    """Who is the fastest, or why nobody can be named."""
    standings = group.standings
    if not standings:
        yield "Nothing was measured here."
    elif len(standings) == 1:
        (alone,) = standings
        time = duration(group.result(alone.cell).floor_ns.estimate)
        yield f"Only {alone.cell} was measured, at {time} a call."
    else:
        yield from list(fastest(group)) or [f"This run cannot say which is the fastest of {names(group)}."]


def names(group: Group) -> str:
    """The modes that may be the fastest."""
    return listed([standing.cell for standing in group.standings if standing.best == 1])
