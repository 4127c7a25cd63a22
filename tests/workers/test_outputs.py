"""Outputs are flattened in one order, however a model nests them."""

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest

from workers.outputs import flatten_outputs


@dataclass
class Result:
    """Outputs by name."""

    scores: object
    hidden: object = None


Pair = namedtuple("Pair", "first second")


@pytest.mark.parametrize(
    ("made", "leaves"),
    [
        ("a", ("a",)),
        (("a", "b"), ("a", "b")),
        (["a", ("b", ["c"])], ("a", "b", "c")),
        ({"b": "second", "a": "first"}, ("first", "second")),
        (Result("s", ("h", "c")), ("s", "h", "c")),
        (Pair("a", Pair("b", "c")), ("a", "b", "c")),
        (({"x": Result("deep")}, None), ("deep",)),
    ],
)
def test_every_kind_of_nesting_comes_out_in_one_order(made: object, leaves: tuple[str, ...]) -> None:
    assert flatten_outputs(made) == leaves


@pytest.mark.parametrize("made", [None, (None,), {"a": None}, ()])
def test_a_model_that_returns_nothing_still_has_an_output_that_can_be_refused(made: object) -> None:
    assert flatten_outputs(made) == (None,)


def test_a_type_that_only_the_framework_knows_is_left_to_it() -> None:
    def open_boxes(leaf: Any) -> tuple[Any, ...]:  # noqa: ANN401 (a framework's own)
        return tuple(leaf) if isinstance(leaf, frozenset) else (leaf,)

    assert flatten_outputs({"a": frozenset({"boxed"}), "b": "bare"}, open_boxes) == ("boxed", "bare")
