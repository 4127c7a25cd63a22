"""Readings of a check: those that failed, and what one found."""

from collections.abc import Sequence

from orchestrator.selftest.check import Reading


def find_failed(readings: Sequence[Reading]) -> list[str]:
    """Return the names of the failed readings."""
    return [reading.quantity for reading in readings if reading.passed is False]


def find_value(readings: Sequence[Reading], what: str) -> str:
    """Return the value that one reading found."""
    return next(reading.found for reading in readings if reading.quantity.startswith(what))
