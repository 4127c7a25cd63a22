"""Coverage and error rates of the comparison of two runs, over many synthetic pairs of runs.

A process's log time is the level of its cell plus three effects. One is that of the process; two are those of its run,
on all cells and on this cell. Between runs a few minutes apart on a quiet virtual machine, the effects of a run were a
few tenths of a per cent. Here they are up to three per cent, for another day or a busier neighbour.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from orchestrator.analysis.cell_summary import summarise_cell
from orchestrator.analysis.compare import CLAIMS, Scores
from orchestrator.analysis.statistics.intervals import clopper_pearson
from orchestrator.comparison.changes import CellPair, CellSide, Change, Ground, find_changes
from orchestrator.comparison.gates import Gate, is_beyond
from schemas.job import Cell

pytestmark = pytest.mark.long

EXPERIMENTS = 300
CELL = Cell(framework="numpy", mode="eager", workload="mlp")
EMPTY = summarise_cell(CELL, [], 0.0)

# Standard deviations of the effect of a run on all cells alike, and on each cell separately.
RUN_EFFECTS = [(0.0, 0.0), (0.01, 0.0), (0.01, 0.005), (0.03, 0.01), (0.0, 0.02)]

LEVELS = [[0.08, 0, 0, 0, 0], [0.08, -0.03, 0, 0, 0, 0.02], [-0.2, 0.3, 0.1, 0.0]]


def a_side(logs: Sequence[float]) -> CellSide:
    by_block = dict(enumerate(logs))
    return CellSide(
        result=EMPTY, scores=Scores(by_block, by_block), memory={}, computed=frozenset(), versions=frozenset()
    )


def compared(
    levels: Sequence[float],
    effects: tuple[float, float] = (0.0, 0.0),
    ground: Ground = "one after the other",
    blocks: tuple[int, int] = (8, 8),
    process: float = 0.01,
) -> Iterator[tuple[Change, ...]]:
    """Yield the changes found between pairs of runs whose cells have changed by these logarithms.

    Effects of processes are skewed for some cells, and some cells are up to three times as noisy as others.
    """
    rng = np.random.default_rng(1)
    for _ in range(EXPERIMENTS):
        common, own = rng.normal(0, effects[0], 2), rng.normal(0, effects[1], (2, len(levels)))
        noise = process * np.exp(rng.normal(0, 0.5, len(levels)))
        pairs = []
        for index, level in enumerate(levels):
            law = rng.standard_exponential if index % 2 else rng.standard_normal
            before, after = (
                common[run] + own[run, index] + noise[index] * law(blocks[run]) + run * level for run in (0, 1)
            )
            pairs.append(
                CellPair(cell=CELL, before=a_side(before.tolist()), after=a_side(after.tolist()), control=True)
            )
        yield find_changes(pairs, ground)


@pytest.mark.parametrize("blocks", [(8, 8), (12, 32)])
def test_an_interval_of_two_runs_alone_covers_what_they_differ_by(blocks: tuple[int, int]) -> None:
    found = [each for all_ in compared([0.05] * 3, blocks=blocks) for each in all_]
    covered = [each.time.observed.low <= math.exp(0.05) <= each.time.observed.high for each in found]
    assert np.mean(covered) >= 0.95


@pytest.mark.parametrize("effects", RUN_EFFECTS)
@pytest.mark.parametrize("cells", [3, 5, 8])
def test_cells_that_stayed_the_same_are_rarely_told_apart(effects: tuple[float, float], cells: int) -> None:
    fooled = sum(any(each.verdict in CLAIMS for each in found) for found in compared([0.0] * cells, effects))
    assert clopper_pearson(fooled, EXPERIMENTS).high <= 0.07


@pytest.mark.parametrize("effects", RUN_EFFECTS[:3])
@pytest.mark.parametrize("cells", [1, 2])
def test_one_cell_or_two_that_stayed_the_same_are_rarely_claimed_to_have_changed(
    effects: tuple[float, float], cells: int
) -> None:
    fooled = sum(any(each.verdict in CLAIMS for each in found) for found in compared([0.0] * cells, effects))
    assert clopper_pearson(fooled, EXPERIMENTS).high <= 0.07


def test_one_cell_that_became_much_slower_fails_its_gate() -> None:
    gate = Gate("slower", 0.03)
    found = list(compared([math.log(1.2)], (0.003, 0.003), process=0.004))
    assert sum(is_beyond(gate, changes[0]) for changes in found) >= 0.9 * EXPERIMENTS


def test_taken_at_face_value_they_often_are() -> None:
    found = compared([0.0] * 5, (0.01, 0.005), "at face value")
    fooled = sum(any(each.verdict in CLAIMS for each in changes) for changes in found)
    assert clopper_pearson(fooled, EXPERIMENTS).low >= 0.5


@pytest.mark.parametrize("effects", RUN_EFFECTS)
@pytest.mark.parametrize("levels", LEVELS)
def test_what_is_claimed_covers_the_change_of_each_cell(effects: tuple[float, float], levels: Sequence[float]) -> None:
    assert share_covered(levels, effects) >= 0.95


def test_it_does_where_all_changed_alike_unless_the_machine_moved_them_too() -> None:
    assert share_covered([0.05] * 4, (0.0, 0.0)) >= 0.95
    assert share_covered([0.05] * 4, (0.0, 0.02)) >= 0.95
    assert share_covered([0.05] * 4, (0.01, 0.0)) >= 0.90


def share_covered(levels: Sequence[float], effects: tuple[float, float]) -> float:
    covered = [
        each.time.claimed.low <= math.exp(level) <= each.time.claimed.high
        for found in compared(levels, effects)
        for level, each in zip(levels, found, strict=True)
    ]
    return float(np.mean(covered))


@pytest.mark.parametrize("effects", RUN_EFFECTS)
def test_beside_cells_that_changed_those_that_stayed_are_rarely_claimed(effects: tuple[float, float]) -> None:
    found = compared([0.1, -0.04, 0, 0, 0, 0.02], effects)
    fooled = sum(any(each.verdict in CLAIMS for each in changes[2:5]) for changes in found)
    assert clopper_pearson(fooled, EXPERIMENTS).high <= 0.07


def test_a_cell_that_stayed_is_not_claimed_where_all_others_moved_together() -> None:
    found = list(compared([0.0, 0.1, 0.1, 0.1, 0.1]))
    fooled = sum(changes[0].verdict in CLAIMS for changes in found)
    assert clopper_pearson(fooled, EXPERIMENTS).high <= 0.05


def test_on_a_quiet_machine_a_slower_cell_passes_the_gate_of_less() -> None:
    gate = Gate("slower", 0.03)
    found = list(compared([math.log(1.08), 0, 0, 0, 0, 0], (0.003, 0.003), process=0.004))
    stopped = sum(is_beyond(gate, changes[0]) for changes in found)
    assert clopper_pearson(stopped, EXPERIMENTS).low >= 0.9
    assert not any(is_beyond(gate, other) for changes in found for other in changes[1:])
