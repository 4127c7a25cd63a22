"""Mistakes of the user: a misspelt name is answered with the nearest valid ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError, unknown_name_error

VALID = ["torch", "tensorflow", "jax", "numpy"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("torhc", "unknown framework 'torhc'; did you mean torch?"),
        ("tensorfow", "unknown framework 'tensorfow'; did you mean tensorflow?"),
        ("jaxnumpy", "unknown framework 'jaxnumpy'; did you mean numpy or jax?"),
        ("zzz", "unknown framework 'zzz'; valid: jax, numpy, tensorflow, torch"),
        ("", "unknown framework ''; valid: jax, numpy, tensorflow, torch"),
    ],
)
def test_the_nearest_names_are_proposed_or_all_are_listed(name: str, sentence: str) -> None:
    assert str(unknown_name_error("framework", name, VALID)) == sentence


@given(st.text(max_size=30), st.lists(st.from_regex(r"\A[a-z]{1,8}\Z"), max_size=6))
def test_the_sentence_stays_on_one_line_and_names_each_valid_name_at_most_once(name: str, valid: list[str]) -> None:
    error = unknown_name_error("name", name, valid)
    assert isinstance(error, UsageError)
    assert str(error).isprintable()
    hint = str(error).rpartition(";")[2]
    named = hint.removeprefix(" valid: ").removeprefix(" did you mean ").removesuffix("?").replace(" or ", ", ")
    listed = [each for each in named.split(", ") if each]
    assert len({*listed}) == len(listed)
    assert {*listed} <= {*valid}
