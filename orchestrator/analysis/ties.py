"""Sets of cells that are indistinguishable, for a short list of all ties."""

from collections.abc import Sequence

from orchestrator.analysis.standings import Standing


def find_tied_sets(standings: Sequence[Standing]) -> tuple[tuple[str, ...], ...]:
    """Return sets of cells, in their order, in which all are tied with each other; every tie is in at least one set.

    Ties are not transitive: A may be tied with B, and B with C, while A and C are told apart.
    """
    tied = {standing.cell: set(standing.tied_with) for standing in standings}
    order, found = [*tied], list[tuple[str, ...]]()
    for place, cell in enumerate(order):
        for other in order[place + 1 :]:
            if other in tied[cell] and not any({cell, other} <= {*known} for known in found):
                found.append(extend_tied_pair((cell, other), order[order.index(other) + 1 :], tied))
    return tuple(found)


def extend_tied_pair(pair: tuple[str, ...], candidates: Sequence[str], tied: dict[str, set[str]]) -> tuple[str, ...]:
    """Extend a tied pair by the later cells that are tied with every member so far."""
    members = list(pair)
    for candidate in candidates:
        if tied[candidate].issuperset(members):
            members.append(candidate)
    return tuple(members)
