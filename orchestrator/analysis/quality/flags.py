"""The flags of a process, also those that need a look at the others of its sweep."""

from collections.abc import Iterable

from orchestrator.analysis.derivation.disturbance import Flag
from orchestrator.analysis.derivation.process import Job, derive_process

# The slowest acceptable canary relative to the sweep's fastest.
CANARY_LIMIT = 1.05


def find_flags(job: Job, canary_floor_ns: float) -> frozenset[Flag]:
    """Return the flags of one process. `canary_floor_ns` is the fastest canary of the sweep."""
    figures = derive_process(job).figures
    if figures is None:
        return frozenset()
    is_slow = (figures.canary_ns or 0) > CANARY_LIMIT * canary_floor_ns
    return frozenset(figures.own_flags) | ({Flag.CANARY} if is_slow else frozenset())


def find_canary_floor_ns(jobs: Iterable[Job]) -> float:
    """Return the fastest canary of a sweep; 0 if no process ran the canary."""
    found = (derive_process(job).figures for job in jobs)
    return min((figures.canary_ns or 0 for figures in found if figures is not None), default=0)
