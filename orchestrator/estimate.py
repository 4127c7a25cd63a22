"""How long a sweep will take, from what jobs took lately, or roughly where nothing is known. Pure."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.frameworks import known as frameworks
from schemas.job import Cell, Timing
from schemas.record import JobRecord


def seconds_by_mode(records: Iterable[JobRecord]) -> dict[str, float]:
    """The median of what a measured job took, by framework and mode, in seconds."""
    took = defaultdict(list)
    for record in records:
        if record.outcome == "measured" and record.outside is not None:
            took[mode_of(record.spec.cell)].append(record.outside.spawn_to_end_ns / 1e9)
    return {mode: statistics.median(values) for mode, values in took.items()}


def mode_of(cell: Cell) -> str:
    """Framework and mode, whatever else a cell is."""
    return f"{cell.framework}:{cell.mode}"


def job_s(cell: Cell, timing: Timing, known: Mapping[str, float]) -> float:
    """What one job of a cell will take, in seconds."""
    if mode_of(cell) in known:
        return known[mode_of(cell)]
    framework = frameworks()[cell.framework]
    compile_s = sum(mode.compile_s for mode in framework.modes if mode.name == cell.mode)
    measuring_ns = timing.warmup_min_ns + 1.5 * timing.samples * timing.sample_ns
    return framework.start_s + compile_s + measuring_ns / 1e9


def block_s(cells: Sequence[Cell], timing: Timing, known: Mapping[str, float]) -> float:
    """What one block of these cells will take, in seconds."""
    return sum(job_s(cell, timing, known) for cell in cells)
