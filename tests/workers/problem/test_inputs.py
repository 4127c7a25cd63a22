"""Drawn inputs expose a mode that has baked in one path, and rounding does not decide their control flow."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from tests.workers.conftest import Ask
from workers.arrays import Array
from workers.problem.inputs import MAX_DRAWS, draw_sets
from workers.problem.problem import INPUT_SETS, Problem
from workers.workloads import import_reference

Numbers = Callable[[], tuple[Array, ...]]


def counter() -> Numbers:
    numbers = itertools.count()
    return lambda: (np.array(next(numbers)),)


def test_where_nothing_is_decided_the_first_are_taken() -> None:
    assert [int(x) for (x,) in draw_sets(counter(), 3, None)] == [0, 1, 2]


def test_no_two_sets_take_the_same_way() -> None:
    assert [int(x) for (x,) in draw_sets(counter(), 3, lambda x: int(x) // 10)] == [0, 10, 20]


def test_a_set_on_no_clear_way_is_drawn_again() -> None:
    assert [int(x) for (x,) in draw_sets(counter(), 3, lambda x: int(x) if x % 5 == 4 else None)] == [4, 9, 14]


def test_where_there_are_too_few_ways_one_is_taken_twice() -> None:
    sets = draw_sets(counter(), 3, lambda x: int(x) % 2)
    assert [int(x) % 2 for (x,) in sets] == [0, 1, (MAX_DRAWS + 1) % 2]


def test_sizes_with_which_no_way_is_clear_are_refused() -> None:
    with pytest.raises(ValueError, match="choose other sizes"):
        draw_sets(counter(), 1, lambda x: None)


@pytest.mark.parametrize("workload", ["tree_lstm", "early_exit", "decode"])
def test_timed_inputs_of_a_dynamic_workload_each_take_a_way_of_their_own(ask: Ask, workload: str) -> None:
    cell = ask("numpy", "eager", workload, batch=2).cell
    problem, path = Problem(cell, 7), getattr(import_reference(workload), "path")  # noqa: B009 (not every reference has one)
    ways = {path(cell.parameters, problem.weights, *inputs) for inputs in problem.input_sets}
    assert None not in ways
    assert len(ways) == INPUT_SETS
