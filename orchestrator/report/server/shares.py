"""The nodes of a run on several machines while it runs, from the files of its shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orchestrator.format import format_count, format_duration, to_printable
from orchestrator.records.share_store import ShareStore, iterate_attempt_specs
from orchestrator.records.store import Store
from orchestrator.report.server.shown_table import ShownTable
from schemas.share import ShareSpec

HEADINGS: Final = ("node", "share", "blocks of the share", "blocks of the node", "state", "last sign of life")

# More rows than these would fill a page of which they are one part.
MAX_NODES: Final = 60


@dataclass(slots=True)
class NodeProgress:
    """A node with its latest share, and the blocks that it has closed in all its shares."""

    attempt: ShareStore
    spec: ShareSpec
    closed: int = 0


def show_progress(place: Store, now: datetime) -> ShownTable:
    """Return a row for each node that has taken a share, those that measure first."""
    nodes, waiting = dict[str, NodeProgress](), 0
    for attempt, spec in iterate_attempt_specs(place):
        lease = attempt.read_lease()
        if lease is None or not lease.node:
            waiting += lease is None
            continue
        found = nodes.setdefault(lease.node, NodeProgress(attempt, spec))
        found.closed += attempt.count_closed()
        if attempt.read_pulse() > found.attempt.read_pulse():
            found.attempt, found.spec = attempt, spec
    rows = sorted(
        (format_node(node, found, now) for node, found in nodes.items()), key=lambda row: row[4] != "measuring"
    )
    counted = f"Nodes: {format_count(len(nodes))}"
    left = f"; shares that wait for one: {format_count(waiting)}" if waiting else ""
    more = f"; the first {MAX_NODES} are shown" if len(rows) > MAX_NODES else ""
    return ShownTable(counted + left + more, HEADINGS, rows[:MAX_NODES])


def format_node(node: str, found: NodeProgress, now: datetime) -> Sequence[str]:
    """Return the row of one node."""
    share, attempt = found.attempt.number
    heard_s = max(found.attempt.read_pulse()) / 1e9
    return (
        to_printable(node),
        f"{share}" if attempt == 1 else f"{share} (attempt {attempt})",
        f"{found.attempt.count_closed()} of {found.spec.last - found.spec.first + 1}",
        f"{found.closed}",
        describe_state(found.attempt),
        f"{format_duration(max(0.0, now.timestamp() - heard_s) * 1e9)} ago",
    )


def describe_state(attempt: ShareStore) -> str:
    """Return the state of an attempt whose lease was taken."""
    end = attempt.read_end()
    if end is not None:
        return to_printable(f"{end.how}: {end.reason}" if end.reason else end.how)
    return "ending" if attempt.is_withdrawn else "measuring"
