"""Timestamps in manifests and records."""

import contextlib
from datetime import UTC, datetime


def parse_timestamp(text: str) -> datetime | None:
    """Parse an ISO 8601 timestamp into UTC; without a zone it is in this machine's. Return None if it is invalid."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.fromisoformat(text).astimezone(UTC)
    return None


def format_day(moment: datetime) -> str:
    """Return the date of a moment on this machine's clock, as a user gives it and as the names of runs have it."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        moment = moment.astimezone()
    return f"{moment:%Y-%m-%d}"
