"""The head's cost for a block does not grow with the number of nodes; the long form is `many_shares.py`."""

from pathlib import Path

from tests.benchmarks.many_shares import measure_head


def test_ten_times_the_nodes_cost_as_much_for_each_block(tmp_path: Path) -> None:
    measure_head(tmp_path / "warm", 2, 2)
    few, many = (measure_head(tmp_path / str(nodes), nodes, 4) for nodes in (4, 40))
    assert (few.whole, many.whole) == (True, True)
    assert many.block_ms < 3 * few.block_ms
    # All shares of a look are one question to the engine.
    assert many.looks < 2 * few.looks
