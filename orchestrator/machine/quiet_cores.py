"""The order in which workers take cores: the quietest first. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

# A core of which others take this share would disturb a worker more than the worker's own threads would on siblings.
MIN_BUSY_SHARE: Final = 0.25


def order_cores(
    available: Sequence[int],
    use: Mapping[int, float],
    siblings: Mapping[int, Collection[int]],
    preferred: Sequence[int] = (),
) -> tuple[int, ...]:
    """Order cores for workers: those preferred first, then the quietest.

    `use` is the share of each core that others take, `siblings` the hardware threads of its physical core. What a
    sibling does slows a core down as well, so their use adds up. The second thread of a physical core comes after the
    first threads of all quiet ones. Of equally quiet cores the last comes first, since systems use the first ones most.
    """
    groups = {core: frozenset(siblings.get(core, ())) | {core} for core in available}
    shares = {core: sum(use.get(each, 0.0) for each in group) for core, group in groups.items()}

    def rank_core(core: int) -> tuple[int, bool, int, float, int]:
        place = preferred.index(core) if core in preferred else len(preferred)
        # A thread with a usable sibling of a higher number is not the first thread that workers take.
        later = sum(each > core for each in groups[core] if each in groups)
        # Half a second of observation tells tenths apart, and the observer itself takes up to one.
        return place, shares[core] >= MIN_BUSY_SHARE, later, round(max(0.0, shares[core] - 0.1), 1), -core

    return tuple(sorted(available, key=rank_core))
