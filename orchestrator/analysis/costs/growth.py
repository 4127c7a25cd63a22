"""Growth of a cell's memory with the number of calls, over its processes. Pure; in bytes a call."""

from collections.abc import Iterable

from orchestrator.analysis.statistics.intervals import Interval, hodges_lehmann

# Of a mode that keeps nothing, one process in two takes a page more by chance: such a cell grows by mistake in 1 %.
ALPHA = 0.02


def summarise_slopes(slopes: Iterable[float | None]) -> Interval | None:
    """Return the slope of a cell's memory with its interval over processes; None if none was measured."""
    measured = [slope for slope in slopes if slope is not None]
    return hodges_lehmann(measured, ALPHA) if measured else None


def is_growing(slope: Interval | None) -> bool:
    """Return whether memory is known to grow: the interval of its slope lies above zero."""
    return slope is not None and slope.low > 0
