"""The nodes of a run on several machines, by its records."""

from collections.abc import Iterable

from schemas.record import JobRecord


def list_nodes(records: Iterable[JobRecord]) -> list[str]:
    """List the nodes of a run in the order of their first records; empty: it was measured on one machine."""
    return list(dict.fromkeys(record.placement.node for record in records if record.placement is not None))
