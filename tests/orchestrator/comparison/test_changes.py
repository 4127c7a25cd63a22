from collections.abc import Mapping

import pytest

from orchestrator.analysis.cell_summary import summarise_cell
from orchestrator.analysis.compare import Scores, Verdict
from orchestrator.analysis.quality.comparability import Sampling
from orchestrator.comparison.changes import CellPair, CellSide, Ground, find_changes
from schemas.job import Cell

CELL = Cell(framework="numpy", mode="eager", workload="mlp")
ALIKE = Sampling(10_000_000)


def a_side(logs: Mapping[int, float], sampling: Mapping[int, Sampling] | None = None) -> CellSide:
    scores = Scores(logs, logs, sampling or dict.fromkeys(logs, ALIKE))
    return CellSide(
        result=summarise_cell(CELL, [], 0.0),
        scores=scores,
        memory={"footprint": logs},
        computed=frozenset(),
        versions=frozenset(),
    )


def a_pair(before: CellSide, after: CellSide) -> CellPair:
    return CellPair(cell=CELL, before=before, after=after, control=True)


def steps(by: float, blocks: int = 10) -> dict[int, float]:
    """Return logs that rise from block to block by far more than the difference between two runs."""
    return {block: block + by + 0.001 * (block % 3) for block in range(1, blocks + 1)}


def test_side_by_side_what_blocks_have_in_common_drops_out() -> None:
    pair = a_pair(a_side(steps(0)), a_side({block: log + 0.1 for block, log in steps(0).items()}))
    (paired,) = find_changes([pair], "side by side")
    (apart,) = find_changes([pair], "at face value")
    assert (paired.verdict, apart.verdict) == (Verdict.SLOWER, Verdict.UNRESOLVED)
    assert paired.time.claimed.high - paired.time.claimed.low < 1e-6
    assert apart.time.claimed.high > 10


def test_blocks_that_were_not_sampled_alike_are_left_out_and_named() -> None:
    before = a_side(steps(0))
    unlike = dict.fromkeys(range(1, 11), ALIKE) | {3: Sampling(1_000_000)}
    after = a_side({block: log + (9 if block == 3 else 0.1) for block, log in steps(0).items()}, unlike)
    (found,) = find_changes([a_pair(before, after)], "side by side")
    assert found.reason == (
        "1 block is not compared: samples were set to last 1 ms in one process and 10 ms in the other"
    )
    assert found.time.claimed.high < 1.2


@pytest.mark.parametrize("ground", ["side by side", "one after the other", "at face value", "on different machines"])
def test_a_cell_without_a_process_that_counts_is_not_compared(ground: Ground) -> None:
    (found,) = find_changes([a_pair(a_side(steps(0)), a_side({}))], ground)
    assert (found.verdict, found.reason) == (None, "one of the runs has no process of it that counts")


def test_blocks_that_never_meet_are_not_compared() -> None:
    (found,) = find_changes([a_pair(a_side({1: 0.0}), a_side({2: 0.0}))], "side by side")
    assert found.reason == "the two runs share no block of it"


def test_one_cell_that_cannot_be_compared_leaves_the_others_alone() -> None:
    pairs = [a_pair(a_side({}), a_side(steps(0))), a_pair(a_side(steps(0)), a_side(steps(0)))]
    first, second = find_changes(pairs, "side by side")
    assert first.verdict is None
    assert second.time.claimed.estimate == 1


def test_memory_has_ratios_of_its_own() -> None:
    pairs = [
        a_pair(a_side(dict.fromkeys(range(8), 20.0)), a_side(dict.fromkeys(range(8), 20.0 + by))) for by in (0.1, 0, 0)
    ]
    grown, *rest = find_changes(pairs, "one after the other")
    assert grown.memory["footprint"].claimed.low > 1.1
    assert all(each.memory["footprint"].claimed.estimate == 1 for each in rest)
