"""Check that cheating benchmarks and failing workers end as what they are, and none of them as a time."""

from collections.abc import Mapping, Sequence
from typing import Final

from orchestrator.records.outcomes import ACCUSATIONS
from orchestrator.selftest.check import MS, Check, Reading, describe_ending, make_synthetic_cell, select_records
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

EXPECTED_OUTCOMES: Final[Sequence[tuple[Cell, Outcome]]] = [
    *((make_synthetic_cell(mode, **LARGE), outcome) for mode, outcome in CHEATS.items()),
    (make_synthetic_cell("remembered", **SMALL), "implausible"),
    *((make_synthetic_cell(mode, **TINY), outcome) for mode, outcome in FAULTS.items()),
]
DEADLINE_S: Final = 6.0


def make_check() -> Check:
    """Return the check: one job for each cell."""
    return Check(
        name="broken on purpose",
        statement="no cheat and no failure passes as a measurement",
        cells=tuple(cell for cell, _ in EXPECTED_OUTCOMES),
        blocks=1,
        deadline_s=DEADLINE_S,
        judge=judge_records,
        timing=Timing(samples=10, sample_ns=MS, warmup_min_ns=10 * MS, warmup_max_ns=100 * MS),
    )


def judge_records(records: Sequence[JobRecord]) -> list[Reading]:
    """Judge each cell's outcome."""
    return [judge_outcome(cell, outcome, records) for cell, outcome in EXPECTED_OUTCOMES]


def judge_outcome(cell: Cell, expected: Outcome, records: Sequence[JobRecord]) -> Reading:
    """Judge one cell's outcome, with its reason if it is not the expected one."""
    # A cell that is accused by its times has a second process, which must say the same.
    attempts = 2 if expected in ACCUSATIONS else 1
    passed = [record.outcome for record in select_records(cell, records)] == [expected] * attempts
    return Reading(
        quantity=f"{cell.mode}, {cell.workload}, batch {cell.batch}",
        expected=expected,
        found=expected if passed else describe_ending(cell, records),
        passed=passed,
    )
