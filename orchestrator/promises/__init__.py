"""What the instrument promises about itself. A promise names cells whose truth is known, and judges their records.

Pure: each file here is one promise, and the self-test runs its cells as a sweep runs any.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.analysis.compare import Comparison, compare_all
from orchestrator.analysis.disturbance import canary_floor_ns
from orchestrator.analysis.results import Result, result, score
from schemas.event import Report
from schemas.job import Cell, Timing
from schemas.record import JobRecord

MS: Final = 1_000_000
"""Nanoseconds in a millisecond."""

TOLERANCE: Final = 0.005
"""By so large a share may a known time be missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing that was promised, and what it came to. `kept` is None for what is shown and not judged."""

    what: str
    promised: str
    got: str
    kept: bool | None
    numbers: Mapping[str, float] = field(default_factory=dict)


Judge = Callable[[Sequence[JobRecord]], Sequence[Figure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Cells, how to measure them, and the judgement of their records.

    Cells in `hogged`, by id, run beside a hog. `by_chance` is the share of runs in which an honest instrument breaks
    the promise, because it is a statement at a level of confidence.
    """

    name: str
    says: str
    cells: tuple[Cell, ...]
    timing: Timing
    blocks: int
    judge: Judge
    enough: Callable[[Sequence[JobRecord], int], bool] = lambda *_: False
    deadline_s: float = 60.0
    hogged: frozenset[str] = frozenset()
    by_chance: float = 0.0


def spin(spin_ns: int, **fields: object) -> Cell:
    """A cell whose calls take a known time; other keywords are the cell's own fields."""
    return synthetic("spin", parameters={"spin_ns": spin_ns, "hold_mib": 0}, **fields)


def synthetic(mode: str, **fields: object) -> Cell:
    """A cell of the synthetic framework, on the synthetic workload unless the cell's own fields say otherwise."""
    return Cell.model_validate({"framework": "synthetic", "mode": mode, "workload": "synthetic"} | fields)


def real(hidden: int, replica: int = 0) -> Cell:
    """A real computation of some microseconds: one step of a recurrent network with its gradients."""
    sizes = {"hidden": hidden, "input": 10}
    return Cell(framework="numpy", mode="eager", workload="rnn_cell", parameters=sizes, replica=replica)


def of_cell(cell: Cell, records: Sequence[JobRecord]) -> list[JobRecord]:
    """The records of one cell."""
    return [record for record in records if record.spec.cell == cell]


def measured(cell: Cell, records: Sequence[JobRecord]) -> list[Report]:
    """The reports of a cell's jobs that count."""
    own = [record for record in of_cell(cell, records) if record.outcome == "measured"]
    return [record.report for record in own if record.report is not None]


def needing(cells: Sequence[Cell], judge: Judge) -> Judge:
    """A judgement for which each cell has to have been measured; without them it says which were not, and why."""
    return lambda records: missing(cells, records) or judge(records)


def missing(cells: Sequence[Cell], records: Sequence[JobRecord]) -> list[Figure]:
    """A broken figure for each cell of which no job was measured."""
    return [
        Figure(what=name(cell), promised="measured", got=ending(cell, records), kept=False)
        for cell in cells
        if not measured(cell, records)
    ]


def name(cell: Cell) -> str:
    """Mode, workload and what tells it from its like: `spin, synthetic, spin_ns=10000 hold_mib=0`."""
    sizes = " ".join(f"{parameter}={value}" for parameter, value in cell.parameters.items())
    return f"{cell.mode}, {cell.workload}, {sizes}"


def ending(cell: Cell, records: Sequence[JobRecord]) -> str:
    """How the last job of a cell ended, and why."""
    own = of_cell(cell, records)
    return f"{own[-1].outcome}: {own[-1].reason}".rstrip(": ") if own else "not run"


def results(cells: Sequence[Cell], records: Sequence[JobRecord]) -> list[Result]:
    """What a sweep of these records makes of each of these cells."""
    canary_ns = canary_floor_ns(records)
    return [result(cell, of_cell(cell, records), canary_ns) for cell in cells]


def compared(
    cells: Sequence[Cell], records: Sequence[JobRecord], barred: Collection[str] | None = None
) -> tuple[Comparison, ...]:
    """What a sweep makes of these cells together, by their ids. A cell in `barred` cannot be called faster.

    Unless it is said which those are, they are the cells that are graded C, as in a sweep.
    """
    if barred is None:
        barred = {each.cell.id for each in results(cells, records) if each.grade == "C"}
    return compare_all({cell.id: score(of_cell(cell, records)) for cell in cells}, barred=barred)


def signed(share: float) -> str:
    """A share with its sign: `+0.28 %`."""
    return f"{100 * share:+.2f} %"
