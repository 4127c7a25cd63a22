"""Saved models: the size of an artefact, and the time to write it and to load it without the model's source. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.costs.cost_curve import sum_phases_ns
from orchestrator.analysis.statistics.intervals import Interval, median_interval
from schemas.record import JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtefactCosts:
    """The artefact that all processes of a cell loaded: its bytes, and the nanoseconds to write and to load it."""

    size_bytes: int
    written_ns: int
    load_ns: Interval


def summarise_artefact(records: Sequence[JobRecord]) -> ArtefactCosts | None:
    """Summarise the artefact of one cell's measured jobs; None where each job built the model itself."""
    loaded = [(record.spec.artefact, record.report) for record in records if record.spec.cell.origin == "file"]
    files = [(artefact, report) for artefact, report in loaded if artefact is not None and report is not None]
    if not files:
        return None
    return ArtefactCosts(
        size_bytes=files[0][0].size_bytes,
        written_ns=files[0][0].written_ns,
        load_ns=median_interval([sum_phases_ns(report, ("load",)) for _, report in files]),
    )
