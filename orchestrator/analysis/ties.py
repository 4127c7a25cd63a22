"""Cells that cannot be told apart, in as few sets as it takes to say so."""

from collections.abc import Sequence

from orchestrator.analysis.compare import Standing


def tied_sets(standings: Sequence[Standing]) -> tuple[tuple[str, ...], ...]:
    """Sets of cells, in their order, in which every one is tied with every other; each tie is in one of them.

    A tie is not handed on: A may be tied with B, and B with C, while A and C were told apart.
    """
    tied = {standing.cell: set(standing.tied_with) for standing in standings}
    order, found = [*tied], list[tuple[str, ...]]()
    for place, cell in enumerate(order):
        for other in order[place + 1 :]:
            if other in tied[cell] and not any({cell, other} <= {*known} for known in found):
                found.append(grown((cell, other), order[order.index(other) + 1 :], tied))
    return tuple(found)


def grown(pair: tuple[str, ...], candidates: Sequence[str], tied: dict[str, set[str]]) -> tuple[str, ...]:
    """A tied pair with all who come after it and are tied with everyone before them."""
    members = list(pair)
    for candidate in candidates:
        if tied[candidate].issuperset(members):
            members.append(candidate)
    return tuple(members)
