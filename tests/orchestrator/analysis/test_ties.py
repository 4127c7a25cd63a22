"""Sets of ties: any two cells share a set if and only if they are tied."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.standings import Standing
from orchestrator.analysis.ties import find_tied_sets

NAMES = "abcdefg"


def standings(*pairs: str, names: str = NAMES) -> list[Standing]:
    """Return the standings of cells with these tied pairs."""
    tied = {
        name: tuple(other for other in names if f"{name}{other}" in pairs or f"{other}{name}" in pairs)
        for name in names
    }
    return [Standing(cell=name, best=1, worst=len(names), tied_with=others) for name, others in tied.items()]


def test_cells_that_are_all_tied_are_one_set() -> None:
    assert find_tied_sets(standings("ab", "ac", "bc")) == (("a", "b", "c"),)


def test_a_tie_is_not_handed_on() -> None:
    assert find_tied_sets(standings("ab", "bc")) == (("a", "b"), ("b", "c"))


def test_where_all_are_told_apart_there_is_no_set() -> None:
    assert find_tied_sets(standings()) == ()
    assert find_tied_sets([]) == ()


@given(st.sets(st.sampled_from(["".join(pair) for pair in combinations(NAMES, 2)])))
def test_exactly_the_tied_pairs_are_together_in_a_set(pairs: set[str]) -> None:
    together = {"".join(pair) for members in find_tied_sets(standings(*pairs)) for pair in combinations(members, 2)}
    assert together == pairs


@given(st.sets(st.sampled_from(["".join(pair) for pair in combinations(NAMES, 2)])))
def test_no_set_lies_within_another(pairs: set[str]) -> None:
    found = [set(members) for members in find_tied_sets(standings(*pairs))]
    assert not any(one <= other or other <= one for one, other in combinations(found, 2))
