"""How long a sweep will take, from what jobs took lately, or roughly where nothing is known. Pure."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.frameworks import known as frameworks
from orchestrator.plan import mode_of
from schemas.job import Cell, Timing
from schemas.record import JobRecord


def seconds_by_mode(records: Iterable[JobRecord]) -> dict[str, float]:
    """The median of what a measured job took, by framework and mode, in seconds."""
    took = defaultdict(list)
    for record in records:
        if record.outcome == "measured" and record.outside is not None:
            took[label(record.spec.cell)].append(record.outside.spawn_to_end_ns / 1e9)
    return {mode: statistics.median(values) for mode, values in took.items()}


def label(cell: Cell) -> str:
    """Framework and mode, of a clone as of its original."""
    return f"{cell.framework}:{cell.mode}"


def job_s(cell: Cell, timing: Timing, known: Mapping[str, float]) -> float:
    """What one job of a cell will take, in seconds."""
    if label(cell) in known:
        return known[label(cell)]
    measuring_ns = timing.warmup_min_ns + 1.5 * timing.samples * timing.sample_ns
    return frameworks()[cell.framework].start_s + mode_of(cell).compile_s + measuring_ns / 1e9


def block_s(cells: Sequence[Cell], timing: Timing, known: Mapping[str, float]) -> float:
    """What one block of these cells will take, in seconds."""
    return sum(job_s(cell, timing, known) for cell in cells)
