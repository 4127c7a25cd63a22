"""Profiles, which explain the time of a call: counts as a table, and paths of traces."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from orchestrator.format import to_printable
from orchestrator.records.labels import format_title
from orchestrator.report.tables import make_table, name_column
from schemas.event import Profiled
from schemas.record import JobRecord


def build_profile_tables(records: Sequence[JobRecord]) -> Iterator[Table]:
    """Yield a table for each group, with a row for each mode that was profiled."""
    groups: dict[str, list[JobRecord]] = {}
    for record in records:
        groups.setdefault(format_title(record.spec.cell), []).append(record)
    for name, found in groups.items():
        drawn = make_table(name_column("mode"), "counts", title=f"Profile of a call: {name}", gap=1)
        for record in found:
            drawn.add_row(record.spec.cell.label, Text(to_printable(format_profile(record))))
        yield drawn


def format_profile(record: JobRecord) -> str:
    """Return the counts of one cell, or the reason why there are none."""
    if (profiled := find_profile(record)) is None:
        return f"{record.outcome}: {record.reason}"
    return ", ".join(f"{count:g} {name}" for name, count in profiled.counts.items())


def find_profile(record: JobRecord) -> Profiled | None:
    """Return the profile of a job that succeeded."""
    return record.result if record.outcome == "profiled" and isinstance(record.result, Profiled) else None


def profiles_to_list(records: Sequence[JobRecord]) -> list[dict[str, Any]]:
    """Return profiles as data, with the paths of their traces."""
    return [
        {
            "cell": record.spec.cell.id,
            "label": record.spec.cell.label,
            "outcome": record.outcome,
            "reason": record.reason,
            "counts": profiled and dict(profiled.counts),
            "trace": profiled and profiled.trace.path,
        }
        for record in records
        for profiled in [find_profile(record)]
    ]
