"""Selection of the cases that every run of the suite tests. All others are marked `long`."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import pytest

Case = TypeVar("Case")


def mark_long(cases: Iterable[Case], *, quick: Sequence[Case]) -> list[object]:
    """Return all cases for `pytest.mark.parametrize`; those that are not quick are marked `long`."""
    given = list(cases)
    unknown = [case for case in quick if case not in given]
    assert unknown == [], "a quick case must be one of the cases"
    return [case if case in quick else pytest.param(*split_case(case), marks=pytest.mark.long) for case in given]


def split_case(case: object) -> tuple[object, ...]:
    """Return the values of a case: those of a tuple, which stands for several arguments, or the case itself."""
    return case if isinstance(case, tuple) else (case,)
