"""Arrays found among arguments and results, however they are nested, and put back in their places."""

import dataclasses
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

from workers.errors import Malformed
from workers.models.code.nested import Arrangement, list_leaves, name_apart, rebuild_value, shuffle_floating

KINDS = (np.ndarray,)
Pair = namedtuple("Pair", ["left", "right"])


@dataclasses.dataclass
class Result:
    scores: Any
    others: Any


def make_nested() -> Result:
    """Return a value with the arrays 0 to 5 in every kind of container."""
    zero, *rest = (np.full(2, number) for number in range(6))
    return Result(
        zero, {"b": [rest[4], None, "text"], "a": (Pair(rest[0], 5), OrderedDict(x=rest[1], y=(rest[2], rest[3])))}
    )


def test_arrays_are_found_in_the_order_of_items_sorted_keys_and_fields() -> None:
    assert [int(each[0]) for each in list_leaves(make_nested(), KINDS)] == [0, 1, 2, 3, 4, 5]
    assert list_leaves("text", KINDS) == []


def test_other_arrays_take_the_places_of_the_first_ones() -> None:
    nested = make_nested()
    made = rebuild_value(nested, iter(each + 10 for each in list_leaves(nested, KINDS)), KINDS)
    assert [int(each[0]) for each in list_leaves(made, KINDS)] == [10, 11, 12, 13, 14, 15]
    assert (type(made), type(made.others["a"][0]), type(made.others["a"][1])) == (Result, Pair, OrderedDict)
    assert (made.others["b"][1:], made.others["a"][0].right) == ([None, "text"], 5)
    assert int(nested.scores[0]) == 0


def test_arguments_are_arranged_as_in_the_first_call() -> None:
    first = Arrangement((np.zeros(2), 3), {"mask": [np.ones(2)]}, KINDS)
    assert not first.plain
    found = first.flatten((np.full(2, 4), 3), {"mask": [np.full(2, 5)]})
    assert [int(each[0]) for each in found] == [4, 5]
    arguments, named = first.arrange(found)
    assert (int(arguments[0][0]), arguments[1], int(named["mask"][0][0])) == (4, 3, 5)


@pytest.mark.parametrize("other", [(np.zeros(2),), (np.zeros(2), {"x": np.ones(2)}), (np.zeros(2), [np.ones(2)] * 2)])
def test_another_arrangement_is_refused(other: tuple[Any, ...]) -> None:
    first = Arrangement((np.zeros(2), [np.ones(2)]), {}, KINDS)
    with pytest.raises(Malformed, match="returns another arrangement of arrays each time"):
        first.flatten(other, {})


def test_a_call_of_arrays_alone_is_plain() -> None:
    assert Arrangement((np.zeros(2), np.ones(1)), {}, KINDS).plain
    assert not Arrangement((np.zeros(2),), {"x": np.ones(1)}, KINDS).plain


def test_another_order_keeps_floating_point_numbers_and_leaves_others_alone() -> None:
    numbers, words = np.arange(12.0).reshape(3, 4), np.arange(5)
    shuffled, same = shuffle_floating([numbers, words], seed=3)
    assert shuffled.shape == numbers.shape
    assert not np.array_equal(shuffled, numbers)
    assert np.array_equal(np.sort(shuffled, axis=None), np.sort(numbers, axis=None))
    assert np.array_equal(same, words)


def test_names_of_several_things_all_differ() -> None:
    assert name_apart(["kernel", "bias", "kernel", "kernel"]) == ["kernel", "bias", "kernel#2", "kernel#3"]
