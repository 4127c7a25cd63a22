"""The size of a campaign that measures false positives."""

from tests.benchmarks.false_positives import count_needed_blocks


def test_pairs_of_clones_need_whole_experiments() -> None:
    assert [count_needed_blocks(pairs) for pairs in (1, 15, 16, 300)] == [12, 12, 24, 240]
