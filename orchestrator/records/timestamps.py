"""Timestamps in manifests and records."""

import contextlib
from datetime import UTC, datetime


def parse_timestamp(text: str) -> datetime | None:
    """Parse an ISO 8601 timestamp into UTC; without a zone it is in this machine's. Return None if it is invalid."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.fromisoformat(text).astimezone(UTC)
    return None
