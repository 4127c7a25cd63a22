"""Check that cheating benchmarks and failing workers end as what they are, and none of them as a time."""

from collections.abc import Mapping, Sequence
from typing import Final

from orchestrator.promises import MS, Figure, Promise, ending, of_cell, synthetic
from schemas.job import Cell, Timing
from schemas.record import JobRecord, Outcome

# Enough arithmetic that a call which skips it is faster than the machine can be.
LARGE: Final[Mapping[str, object]] = {
    "workload": "mlp",
    "batch": 64,
    "parameters": {"input": 32, "width": 512, "depth": 3, "output": 10},
}

# So little arithmetic that a call which skips it is no faster than a machine can be.
SMALL: Final[Mapping[str, object]] = {
    "workload": "mlp",
    "parameters": {"input": 32, "width": 64, "depth": 3, "output": 10},
}

TINY: Final[Mapping[str, object]] = {"workload": "synthetic", "parameters": {"spin_ns": 0, "hold_mib": 0}}

CHEATS: Final[Mapping[str, Outcome]] = {
    "wrong": "wrong",
    "garbage": "wrong",
    "constant": "wrong",
    "unused": "wrong",
    "remembered": "implausible",
    "deferred": "implausible",
    "recompiling": "recompiled",
}
# `deferred` is here too: with nothing to compute, only the timing loop is left of a call.
FAULTS: Final[Mapping[str, Outcome]] = {
    "crash": "killed",
    "raise": "raised",
    "hang": "timeout",
    "chatter": "measured",
    "deferred": "overhead-dominated",
}

DUE: Final[Sequence[tuple[Cell, Outcome]]] = [
    *((synthetic(mode, **LARGE), outcome) for mode, outcome in CHEATS.items()),
    (synthetic("remembered", **SMALL), "implausible"),
    *((synthetic(mode, **TINY), outcome) for mode, outcome in FAULTS.items()),
]
DEADLINE_S: Final = 6.0


def promise() -> Promise:
    """Return the check: one job for each cell."""
    return Promise(
        name="broken on purpose",
        says="no cheat and no failure passes as a measurement",
        cells=tuple(cell for cell, _ in DUE),
        blocks=1,
        deadline_s=DEADLINE_S,
        judge=judge,
        timing=Timing(samples=10, sample_ns=MS, warmup_min_ns=10 * MS, warmup_max_ns=100 * MS),
    )


def judge(records: Sequence[JobRecord]) -> list[Figure]:
    """Judge each cell's outcome."""
    return [figure(cell, outcome, records) for cell, outcome in DUE]


def figure(cell: Cell, due: Outcome, records: Sequence[JobRecord]) -> Figure:
    """Judge one cell's outcome, with its reason if it is not the expected one."""
    kept = [record.outcome for record in of_cell(cell, records)] == [due]
    return Figure(
        what=f"{cell.mode}, {cell.workload}, batch {cell.batch}",
        promised=due,
        got=due if kept else ending(cell, records),
        kept=kept,
    )
