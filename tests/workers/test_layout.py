"""Weights in a layout of a model's own are brought to the reference's, whatever form the model returns them in."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from workers.arrays import Array
from workers.errors import Malformed
from workers.layout import to_reference_layout

OWN = [np.arange(6.0).reshape(2, 3), np.ones(3)]


class Plain:
    """A model whose weights are the reference's."""


class Named:
    """A model that returns weights by name, in any order."""

    def to_reference(self, arrays: list[Array]) -> Mapping[str, Array]:
        kernel, bias = arrays
        return {"bias": bias, "weight": kernel.T}


class Split:
    """A model with two weights for one of the reference's, which returns them in order."""

    def to_reference(self, arrays: list[Array]) -> Sequence[Array]:
        return [np.concatenate([arrays[0].ravel(), arrays[1]])]


class Forgetful:
    """A model that forgets a weight."""

    def to_reference(self, arrays: list[Array]) -> Mapping[str, Array]:
        return {"weight": arrays[0]}


def test_a_model_without_a_layout_of_its_own_is_left_alone() -> None:
    assert to_reference_layout(Plain(), OWN, ["a", "b"]) == OWN


def test_weights_by_name_come_in_the_order_of_the_reference() -> None:
    weight, bias = to_reference_layout(Named(), OWN, ["weight", "bias"])
    assert np.array_equal(weight, OWN[0].T)
    assert np.array_equal(bias, OWN[1])


def test_a_model_may_have_another_number_of_weights() -> None:
    (joined,) = to_reference_layout(Split(), OWN, ["all"])
    assert joined.shape == (9,)


def test_a_weight_that_is_left_out_is_named() -> None:
    with pytest.raises(Malformed, match=r"to_reference\(\.\.\.\) returns no bias, scale; return every weight"):
        to_reference_layout(Forgetful(), OWN, ["weight", "bias", "scale"])
