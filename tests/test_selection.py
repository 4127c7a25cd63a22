"""The cases of a test are quick, long or exhaustive, always the same ones."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from tests.selection import SAMPLED, mark_exhaustive, mark_long

LENGTHS = [str(length) for length in range(80)]


@dataclass
class Item:
    """A test as pytest collects it."""

    nodeid: str
    marks: list[str] = field(default_factory=lambda: ["long"])

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.marks else None

    def add_marker(self, mark: pytest.MarkDecorator) -> None:
        self.marks.append(mark.name)


def sample(items: list[Item]) -> list[str]:
    """Return the names of the items that are not exhaustive."""
    mark_exhaustive(cast("list[pytest.Item]", items))
    return [item.nodeid for item in items if "exhaustive" not in item.marks]


def test_the_long_suite_runs_about_one_case_in_eight() -> None:
    kept = sample([Item(f"a.py::test_it[{length}]") for length in LENGTHS])
    assert len(LENGTHS) / SAMPLED / 2 < len(kept) < 2 * len(LENGTHS) / SAMPLED


def test_it_is_the_same_cases_in_each_run_and_of_each_test_that_shares_them() -> None:
    one, other = (
        sample([Item(f"a.py::{name}[{length}]") for length in order])
        for name, order in (("test_it", LENGTHS), ("test_that", LENGTHS[::-1]))
    )
    assert {name.partition("[")[2] for name in one} == {name.partition("[")[2] for name in other}


@pytest.mark.parametrize("case", LENGTHS[:20])
def test_at_least_one_case_of_a_test_is_kept(case: str) -> None:
    assert sample([Item(f"a.py::test_it[{case}]")]) == [f"a.py::test_it[{case}]"]


def test_a_case_that_is_marked_already_is_not_the_one_that_is_kept() -> None:
    items = [Item(f"a.py::test_it[{length}]", ["long", "exhaustive"]) for length in LENGTHS]
    assert sample([*items, Item("a.py::test_it[that]")]) == ["a.py::test_it[that]"]
    assert all(item.marks == ["long", "exhaustive"] for item in items)


def test_what_has_no_cases_or_is_not_long_is_kept() -> None:
    items = [Item("a.py::test_it"), *(Item(f"a.py::test_quick[{length}]", []) for length in LENGTHS)]
    assert sample(items) == [item.nodeid for item in items]


def test_cases_that_are_not_quick_are_long() -> None:
    marked = mark_long(["a", "b", "c"], quick=["b"])
    assert [getattr(case, "marks", ()) for case in marked] == [(pytest.mark.long,), (), (pytest.mark.long,)]


def test_a_quick_case_that_is_none_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="a quick case must be one of the cases"):
        mark_long(["a"], quick=["b"])
