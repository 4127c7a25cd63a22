"""Streams of shapes: many sizes, each equally often, in an order that the seed decides."""

import numpy as np
import pytest

from workers.problem.shape_stream import STREAM_LENGTH, draw_stream, spread_sizes


@pytest.mark.parametrize("size", [1, 2, 5, 16, 100, 4096])
def test_the_sizes_of_a_stream_are_all_different_and_lie_around_the_one_asked_for(size: int) -> None:
    sizes = spread_sizes(size, least=1)
    assert len(set(sizes)) == STREAM_LENGTH
    assert min(sizes) == max(1, size // 2)
    assert max(sizes) >= size


def test_a_stream_is_of_lengths_where_the_inputs_decide_one() -> None:
    parameters = {"hidden": 3, "length": 16, "fixed_length": 0}
    found = draw_stream(parameters, 2, np.random.default_rng(1))
    assert {batch for _, batch in found} == {2}
    assert len({sizes["length"] for sizes, _ in found}) == STREAM_LENGTH
    assert {sizes["hidden"] for sizes, _ in found} == {3}


@pytest.mark.parametrize("parameters", [{"width": 3}, {"length": 16, "fixed_length": 1}])
def test_a_stream_is_of_batches_elsewhere(parameters: dict[str, int]) -> None:
    found = draw_stream(parameters, 8, np.random.default_rng(1))
    assert all(sizes == parameters for sizes, _ in found)
    assert len({batch for _, batch in found}) == STREAM_LENGTH


def test_the_same_seed_gives_the_same_stream_in_an_order_that_is_not_that_of_size() -> None:
    one, again, other = (draw_stream({"width": 3}, 8, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == again != other
    assert sorted(batch for _, batch in one) != [batch for _, batch in one]
