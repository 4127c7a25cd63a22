import dataclasses

from orchestrator.analysis.compare import Scores
from orchestrator.comparison.interleaving import match_alternating_blocks, renumber_blocks
from tests.orchestrator.comparison.test_changes import ALIKE, a_side


def test_blocks_that_took_turns_are_paired_in_either_order() -> None:
    assert match_alternating_blocks({1: 0, 2: 30, 3: 40}, {1: 10, 2: 20, 3: 50}) == {1: 1, 2: 2, 3: 3}


def test_the_last_block_may_be_left_over() -> None:
    assert match_alternating_blocks({1: 0, 2: 20, 3: 40}, {1: 10, 2: 30}) == {1: 1, 2: 2}


def test_blocks_are_paired_by_time_and_not_by_number() -> None:
    assert match_alternating_blocks({1: 0, 3: 20}, {2: 10, 5: 30}) == {2: 1, 5: 3}


def test_runs_one_after_the_other_took_no_turns() -> None:
    assert match_alternating_blocks({1: 0, 2: 10, 3: 20}, {1: 30, 2: 40, 3: 50}) is None
    assert match_alternating_blocks({1: 0}, {1: 10}) is None
    assert match_alternating_blocks({}, {}) is None


def test_two_blocks_of_one_run_between_those_of_the_other_are_no_turn() -> None:
    assert match_alternating_blocks({1: 0, 2: 30, 3: 60, 4: 70}, {1: 10, 2: 20, 3: 40, 4: 50}) is None


def test_everything_about_a_block_goes_under_its_new_number() -> None:
    by_block = {2: 0.2, 4: 0.4, 5: 0.5}
    scores = Scores(
        floor=by_block,
        typical=by_block,
        sampling=dict.fromkeys(by_block, ALIKE),
        least=by_block,
        samples={block: (log,) for block, log in by_block.items()},
        undisturbed={block: block for block in by_block},
    )
    side = dataclasses.replace(a_side(by_block), scores=scores)
    found = renumber_blocks(side, {2: 1, 4: 3}).scores
    for each in dataclasses.fields(found):
        assert getattr(found, each.name).keys() == {1, 3}, each.name
    assert (found.least, found.undisturbed) == ({1: 0.2, 3: 0.4}, {1: 2, 3: 4})
