from orchestrator.comparison.interleaving import match_alternating_blocks


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
