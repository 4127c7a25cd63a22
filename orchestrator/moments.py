"""When something happened, as a manifest or a record says it."""

import contextlib
from datetime import UTC, datetime


def moment(text: str) -> datetime | None:
    """The moment that a text names, in the zone that it names or else in this machine's; None if it names none."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.fromisoformat(text).astimezone(UTC)
    return None
