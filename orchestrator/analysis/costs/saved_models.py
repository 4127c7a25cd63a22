"""Saved models: the size of an artefact, and the time to write it and to load it without the model's source. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.derivation.process import Job, derive_processes
from orchestrator.analysis.statistics.intervals import Interval, median_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtefactCosts:
    """The artefact that all processes of a cell loaded: its bytes, and the nanoseconds to write and to load it."""

    size_bytes: int
    written_ns: int
    load_ns: Interval


def summarise_artefact(jobs: Sequence[Job]) -> ArtefactCosts | None:
    """Summarise the artefact of one cell's measured jobs; None where each job built the model itself."""
    loaded = [(process.artefact, process.figures) for process in derive_processes(jobs)]
    files = [(artefact, figures) for artefact, figures in loaded if artefact is not None and figures is not None]
    if not files:
        return None
    return ArtefactCosts(
        size_bytes=files[0][0].size_bytes,
        written_ns=files[0][0].written_ns,
        load_ns=median_interval([figures.load_ns for _, figures in files]),
    )
