"""Workers take the quietest cores, and whole physical cores before the threads of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.machine.quiet_cores import order_cores

# Four physical cores with two threads each, numbered as Linux does on most machines.
PAIRS = {core: (core % 4, core % 4 + 4) for core in range(8)}


def test_on_a_quiet_machine_workers_take_the_last_cores_since_the_system_uses_the_first() -> None:
    assert order_cores((0, 1, 2, 3), {}, {}) == (3, 2, 1, 0)
    assert order_cores((0, 1, 2, 3), {0: 0.02, 1: 0.0, 2: 0.0, 3: 0.11}, {}) == (3, 2, 1, 0)


@pytest.mark.parametrize(("busy", "first"), [(3, 2), (2, 3), (0, 3)])
def test_a_busy_core_is_the_last_choice(busy: int, first: int) -> None:
    order = order_cores((0, 1, 2, 3), {busy: 0.97}, {})
    assert order[0] == first
    assert order[-1] == busy


def test_of_busy_cores_the_least_busy_is_taken() -> None:
    assert order_cores((0, 1, 2), {0: 0.9, 1: 0.5, 2: 1.0}, {}) == (1, 0, 2)


def test_each_thread_of_a_worker_gets_a_physical_core_to_itself_while_there_are_any() -> None:
    assert order_cores(tuple(range(8)), {}, PAIRS) == (7, 6, 5, 4, 3, 2, 1, 0)
    neighbours = {0: (0, 1), 1: (0, 1), 2: (2, 3), 3: (2, 3)}
    assert order_cores((0, 1, 2, 3), {}, neighbours) == (3, 1, 2, 0)


def test_work_on_a_sibling_makes_a_core_busy_too_even_one_that_this_process_may_not_use() -> None:
    assert order_cores((4, 5, 6, 7), {3: 0.9}, PAIRS) == (6, 5, 4, 7)


def test_the_sibling_of_a_quiet_core_is_better_than_a_busy_core() -> None:
    neighbours = {0: (0, 1), 1: (0, 1), 2: (2, 3), 3: (2, 3)}
    assert order_cores((0, 1, 2, 3), {3: 0.6}, neighbours) == (1, 0, 3, 2)


def test_preferred_cores_come_first_in_their_own_order_however_busy_and_missing_ones_are_left_out() -> None:
    assert order_cores((0, 1, 2, 3), {1: 0.9}, {}, preferred=(1, 9, 0)) == (1, 0, 3, 2)


@given(
    st.sets(st.integers(0, 15), min_size=1),
    st.dictionaries(st.integers(0, 15), st.floats(0, 1)),
    st.lists(st.integers(0, 15), unique=True),
)
def test_every_available_core_comes_once(cores: set[int], use: dict[int, float], preferred: list[int]) -> None:
    order = order_cores(tuple(sorted(cores)), use, PAIRS, preferred)
    assert sorted(order) == sorted(cores)
    chosen = [core for core in preferred if core in cores]
    assert list(order[: len(chosen)]) == chosen
