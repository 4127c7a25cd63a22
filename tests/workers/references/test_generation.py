"""Loops of a reference: what is fed back, what is a result, and which tokens rounding leaves alone."""

from types import ModuleType

import numpy as np
import pytest

from workers.arrays import Array
from workers.interfaces import HasPath, Parameters
from workers.references.generation import name_picks, repeat_reference, run_loop


def count_up(parameters: Parameters, weights: dict[str, Array], x: Array, state: Array) -> tuple[Array, ...]:
    return x * state, x + parameters["step"], state + x


def test_the_first_output_is_the_result_and_the_others_are_the_next_inputs() -> None:
    made = run_loop(count_up, 3, {"step": 1}, {}, np.array(2.0), np.array(5.0))
    assert [float(each) for each in made] == [2 * 5, 3 * 7, 4 * 10]


def test_a_state_may_grow_and_may_gain_a_part_on_the_way() -> None:
    def grow(_: Parameters, __: dict[str, Array], x: Array, *state: Array) -> tuple[Array, ...]:
        return np.array([x.size, *(each.size for each in state)]), np.append(x, 0), *(state or [np.ones(2)])

    assert [each.tolist() for each in run_loop(grow, 3, {}, {}, np.zeros(1))] == [[1], [2, 2], [3, 2]]


def make_reference(**functions: object) -> ModuleType:
    made = ModuleType("reference")
    made.__dict__.update({"forward": count_up, "shapes": lambda *_: (), "inputs": lambda *_: ()} | functions)
    return made


def test_a_reference_that_is_called_once_is_left_alone() -> None:
    plain = make_reference()
    assert repeat_reference(plain, 1) is plain  # type: ignore[arg-type, comparison-overlap]


def test_only_the_forward_pass_of_a_reference_becomes_a_loop() -> None:
    plain = make_reference(__file__="mine/reference.py")
    looped = repeat_reference(plain, 2)  # type: ignore[arg-type]
    made = looped.forward({"step": 1}, {}, np.array(2.0), np.array(5.0))
    assert [float(each) for each in made] == [10, 21]
    assert looped.shapes is plain.shapes
    assert getattr(looped, "__file__", "") == "mine/reference.py"
    assert not isinstance(looped, HasPath)
    assert isinstance(repeat_reference(make_reference(path=lambda *_: b""), 2), HasPath)  # type: ignore[arg-type]


def test_the_picks_are_the_highest_scores_of_each_step() -> None:
    scores = [np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([[0.7, 0.3], [0.2, 0.8]])]
    assert name_picks(scores) == np.array([[1, 0], [0, 1]]).tobytes()


@pytest.mark.parametrize(("second", "is_clear"), [(0.9, True), (0.9998, True), (0.99995, False), (1.0, False)])
def test_picks_that_rounding_could_change_have_no_name(second: float, is_clear: bool) -> None:
    assert (name_picks([np.array([[1.0, second, -0.5]])]) is not None) is is_clear
