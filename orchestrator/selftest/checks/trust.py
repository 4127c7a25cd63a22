"""Check of code whose truth is known: no model that cheats is measured, and every honest one is."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from orchestrator.records.outcomes import ACCUSATIONS
from orchestrator.selftest.check import MS, Check, Reading, describe_ending, select_records
from orchestrator.selftest.known_code import Kind, make_kind_cell
from schemas.job import Cell, Timing
from schemas.record import JobRecord
from schemas.workloads import Workload

DEADLINE_S: Final = 60.0


def make_check(kinds: Sequence[Kind], workloads: Mapping[str, Workload]) -> Check:
    """Return the check: one job for each model, whose folders have been written."""
    known = [(make_kind_cell(kind, workloads[kind.folder]), kind) for kind in kinds]
    return Check(
        name="code that cheats, and code that is odd",
        statement="no cheat passes as a measurement, and every honest model does",
        cells=tuple(cell for cell, _ in known),
        blocks=1,
        deadline_s=DEADLINE_S,
        judge=partial(judge_records, known),
        timing=Timing(samples=30, sample_ns=MS, warmup_min_ns=10 * MS, warmup_max_ns=100 * MS),
        workloads=workloads,
    )


def judge_records(known: Sequence[tuple[Cell, Kind]], records: Sequence[JobRecord]) -> list[Reading]:
    """Judge the outcome of each model, and for what reason it is barred."""
    return [judge_kind(cell, kind, records) for cell, kind in known]


def judge_kind(cell: Cell, kind: Kind, records: Sequence[JobRecord]) -> Reading:
    """Judge the outcome of one model."""
    own = select_records(cell, records)
    # A cell that is accused by its times has a second process. It must say the same of a cheat, and acquit the honest.
    due = {kind.outcome} if kind.outcome != "measured" else {"measured", *ACCUSATIONS}
    passed = bool(own) and own[-1].outcome == kind.outcome and kind.said in own[-1].reason
    passed = passed and {record.outcome for record in own} <= due
    return Reading(
        quantity=f"{kind.label} {kind.task}: {kind.name}",
        expected=kind.outcome,
        found=kind.outcome if passed else describe_ending(cell, records),
        passed=passed,
    )
