"""Checks of this program against known truth: the type of a check, and what several checks need.

Pure: a check names cells whose truth is known and judges their records. The self-test measures them as a sweep does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.analysis.cell_summary import summarise_cell
from orchestrator.analysis.compare import Comparison, compare_all_pairs
from orchestrator.analysis.process_scores import score_processes
from orchestrator.analysis.quality.flags import find_canary_floor_ns
from orchestrator.analysis.results import Result
from schemas.event import Report
from schemas.job import Cell, Timing
from schemas.record import JobRecord
from schemas.workloads import Workload

MS: Final = 1_000_000  # nanoseconds

# A known time may be missed by this share.
TOLERANCE: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One expected value, and the value found. `passed` is None for a reading that is shown but not judged."""

    quantity: str
    expected: str
    found: str
    passed: bool | None
    numbers: Mapping[str, float] = field(default_factory=dict)


Judge = Callable[[Sequence[JobRecord]], Sequence[Reading]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Cells, how to measure them, and the judgement of their records.

    Cells in `hogged`, by id, run beside a CPU hog. `workloads` are those that are not built in. `failing_by_chance` is
    the share of runs in which a correct program fails the check, because its statement holds at a level of confidence.
    """

    name: str
    statement: str
    cells: tuple[Cell, ...]
    timing: Timing
    blocks: int
    judge: Judge
    enough: Callable[[Sequence[JobRecord], int], bool] = lambda *_: False
    deadline_s: float = 60.0
    hogged: frozenset[str] = frozenset()
    failing_by_chance: float = 0.0
    workloads: Mapping[str, Workload] = field(default_factory=dict)


def make_spin_cell(spin_ns: int, **fields: object) -> Cell:
    """Return a cell whose calls take a known time; other keywords are fields of the cell."""
    return make_synthetic_cell("spin", parameters={"spin_ns": spin_ns, "hold_mib": 0}, **fields)


def make_synthetic_cell(mode: str, **fields: object) -> Cell:
    """Return a cell of the synthetic framework, on the synthetic workload unless `fields` names another."""
    return Cell.model_validate({"framework": "synthetic", "mode": mode, "workload": "synthetic"} | fields)


def make_real_cell(hidden: int, replica: int = 0) -> Cell:
    """Return a cell that computes for some microseconds: one step of a recurrent network with its gradients."""
    sizes = {"hidden": hidden, "input": 10}
    return Cell(framework="numpy", mode="eager", workload="rnn_cell", parameters=sizes, replica=replica)


def select_records(cell: Cell, records: Sequence[JobRecord]) -> list[JobRecord]:
    """Return the records of one cell."""
    return [record for record in records if record.spec.cell == cell]


def select_reports(cell: Cell, records: Sequence[JobRecord]) -> list[Report]:
    """Return the reports of a cell's measured jobs."""
    own = [record for record in select_records(cell, records) if record.outcome == "measured"]
    return [record.report for record in own if record.report is not None]


def require_measured(cells: Sequence[Cell], judge: Judge) -> Judge:
    """Wrap a judgement that needs every cell measured; it then first reports the cells that were not, and why."""
    return lambda records: find_unmeasured(cells, records) or judge(records)


def find_unmeasured(cells: Sequence[Cell], records: Sequence[JobRecord]) -> list[Reading]:
    """Return a failed reading for each cell without a measured job."""
    return [
        Reading(quantity=format_cell(cell), expected="measured", found=describe_ending(cell, records), passed=False)
        for cell in cells
        if not select_reports(cell, records)
    ]


def format_cell(cell: Cell) -> str:
    """Format mode, workload and parameters: `spin, synthetic, spin_ns=10000 hold_mib=0`."""
    sizes = " ".join(f"{parameter}={value}" for parameter, value in cell.parameters.items())
    return f"{cell.mode}, {cell.workload}, {sizes}"


def describe_ending(cell: Cell, records: Sequence[JobRecord]) -> str:
    """Describe how the last job of a cell ended, and why."""
    own = select_records(cell, records)
    return f"{own[-1].outcome}: {own[-1].reason}".rstrip(": ") if own else "not run"


def evaluate_cells(cells: Sequence[Cell], records: Sequence[JobRecord]) -> list[Result]:
    """Evaluate each of these cells as a sweep with these records does."""
    canary_ns = find_canary_floor_ns(records)
    return [summarise_cell(cell, select_records(cell, records), canary_ns) for cell in cells]


def compare_cells(cells: Sequence[Cell], records: Sequence[JobRecord]) -> tuple[Comparison, ...]:
    """Compare every two of these cells, by their ids, as a sweep does."""
    return compare_all_pairs({cell.id: score_processes(select_records(cell, records)) for cell in cells})


def format_signed(share: float) -> str:
    """Format a share with its sign: `+0.28 %`."""
    return f"{100 * share:+.2f} %"
