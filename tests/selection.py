"""Selection of the cases that every run of the suite tests. Others are `long`, and most of those `exhaustive`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar
from zlib import crc32

import pytest

Case = TypeVar("Case")

# Of the long cases of one test, the long suite runs about one in so many.
SAMPLED = 8


def mark_long(cases: Iterable[Case], *, quick: Sequence[Case]) -> list[object]:
    """Return all cases for `pytest.mark.parametrize`; those that are not quick are marked `long`."""
    given = list(cases)
    unknown = [case for case in quick if case not in given]
    assert unknown == [], "a quick case must be one of the cases"
    return [case if case in quick else pytest.param(*split_case(case), marks=pytest.mark.long) for case in given]


def split_case(case: object) -> tuple[object, ...]:
    """Return the values of a case: those of a tuple, which stands for several arguments, or the case itself."""
    return case if isinstance(case, tuple) else (case,)


def mark_exhaustive(items: Iterable[pytest.Item]) -> None:
    """Mark the cases of each long test that only the exhaustive suite runs, always the same ones.

    The name of a case decides, so the tests that share what a case costs keep the same cases. A test keeps at least one
    of those that are not marked already.
    """
    cases: dict[str, list[tuple[int, pytest.Item]]] = defaultdict(list)
    for item in items:
        test, _, case = item.nodeid.partition("[")
        if case and item.get_closest_marker("long") and not item.get_closest_marker("exhaustive"):
            cases[test].append((crc32(case.encode()), item))
    for numbered in cases.values():
        first = min(numbered, key=lambda pair: (pair[0] % SAMPLED, pair[0]))
        for number, item in numbered:
            if number % SAMPLED and item is not first[1]:
                item.add_marker(pytest.mark.exhaustive)
