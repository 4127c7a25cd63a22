"""A history with known steps, built without files: one cell has a step, one has none, and one has a new commit."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.comparison.history import CellHistory, History, TypeHistory
from orchestrator.comparison.steps import Point, RunFacts, Step
from schemas.job import Cell
from schemas.machine_type import identify_type
from tests.orchestrator.conftest import HOST, NOON

RUNS = 12
PLACE = 6
COMMITS = ("a1" * 20, "b2" * 20)


def a_fact(day: int) -> RunFacts:
    commit = COMMITS[day >= PLACE]
    began = NOON + timedelta(days=day)
    return RunFacts(
        name=f"{began:%Y%m%d}-120000-nightly", began=began, host=HOST, code="", commits={"mlp": commit}, canary_ns=9
    )


def a_cell_history(
    label: str = "torch:eager",
    step: float | None = None,
    *,
    runs: int = RUNS,
    claimed: bool = True,
    changed: tuple[str, ...] = ("torch 2.12.0 is now 2.13.0",),
    needed: int | None = 10,
    controls: int = 3,
) -> CellHistory:
    """Return a cell of 30 µs that takes `step` times as long from the seventh run on."""
    framework, _, mode = label.partition(":")
    cell = Cell(framework=framework, mode=mode, workload="mlp", parameters={"depth": 3})
    points = tuple(
        Point(
            run=a_fact(day),
            cell=cell,
            label=label,
            title="mlp backward (depth=3), batch 1, float32, 1 thread, cpu",
            floor_ns=a_floor(30_000 * (step if step and day >= PLACE else 1) * (1 + 0.001 * (day % 3))),
            versions={framework: "2.13.0" if day >= PLACE else "2.12.0", "python": "3.11.7"},
        )
        for day in range(runs)
    )
    steps = (
        ()
        if step is None
        else (
            Step(
                before=points[PLACE - 1],
                after=points[PLACE],
                observed=Interval(step, step - 0.002, step + 0.002),
                ratio=Interval(step, step - 0.01, step + 0.01),
                p=0.004,
                claimed=claimed,
                changed=changed,
            ),
        )
    )
    return CellHistory(label=label, title=points[0].title, points=points, steps=steps, needed=needed, controls=controls)


def a_floor(estimate: float) -> Interval:
    return Interval(estimate, estimate * 0.99, estimate * 1.01)


def a_history(*cells: CellHistory, skipped: tuple[str, ...] = ()) -> History:
    """Return the history of these cells on one type of machine."""
    runs = tuple(point.run for point in max((cell.points for cell in cells), key=len))
    each = TypeHistory(machine=identify_type(HOST), runs=runs, cells=cells, level=0.05 / len(cells))
    return History(types=(each,), skipped=skipped)


@pytest.fixture
def make_cell_history() -> Callable[..., CellHistory]:
    return a_cell_history


@pytest.fixture
def make_history() -> Callable[..., History]:
    return a_history


@pytest.fixture
def stepped() -> History:
    """A history of two cells, of which the first has become 8 % slower."""
    return a_history(a_cell_history("torch:eager", 1.08), a_cell_history("jax:jit"))
