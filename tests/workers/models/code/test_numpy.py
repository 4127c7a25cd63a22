"""NumPy functions as they come, measured by real workers and verified against themselves in float64."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.event import Failure, Report
from tests.workers.models.endings import explain

if TYPE_CHECKING:
    from tests.workers.models.conftest import MakeCase

PLAIN = """
import numpy as np

def scale(x, y):
    return np.tanh(x) @ y, x.sum()

def inputs(batch=1):
    return np.random.standard_normal((batch, 6)), np.random.standard_normal((6, 4))
"""


@pytest.mark.long
def test_a_function_of_arrays_is_measured_and_found_right(make_case: "MakeCase") -> None:
    report = make_case(PLAIN, "numpy").measure("numpy:eager", batch=3, task="forward")
    assert isinstance(report, Report), explain(report)
    assert report.verification.reason == ""
    assert {check.tensor for check in report.verification.checks} == {"output 0", "output 1"}
    assert all(0 < check.error < 1e-6 for check in report.verification.checks if check.error is not None)


@pytest.mark.long
def test_arguments_with_names_and_without_arrays_stay_as_they_are(make_case: "MakeCase") -> None:
    text = PLAIN.replace("def scale(x, y)", "def scale(x, factor, *, y, axis)").replace(
        "x.sum()", "factor * x.sum(axis)"
    )
    text = text.partition("def inputs")[0] + (
        "def inputs(batch=1):\n    return {'x': np.ones((2, 6)), 'factor': 3, 'y': np.ones((6, 4)), 'axis': 0}\n"
    )
    report = make_case(text, "numpy").measure("numpy:eager", task="forward")
    assert isinstance(report, Report), explain(report)
    assert report.verification.reason == ""


@pytest.mark.parametrize(
    ("change", "task", "said"),
    [
        (("np.tanh(x) @ y, x.sum()", "'text'"), "forward", "returns a str without arrays; return the results"),
        (("x.sum()", "x.sum() + np.random.rand()"), "forward", "draws random numbers"),
        (
            ("np.random.standard_normal((6, 4))", "np.random.standard_normal((6, 4 + np.random.randint(9)))"),
            "forward",
            "the inputs function returns different shapes each time",
        ),
        (
            ("return np.random.standard_normal((batch, 6)), np.random.standard_normal((6, 4))", "return 1, 2"),
            "forward",
            "the inputs function returns no array",
        ),
        (("tanh", "tanh"), "backward", "has no gradients; measure it with --tasks forward"),
    ],
)
def test_a_function_that_nothing_could_verify_is_refused_in_one_sentence(
    make_case: "MakeCase", change: tuple[str, str], task: str, said: str
) -> None:
    last = make_case(PLAIN.replace(*change), "numpy").refer(task=task)
    assert isinstance(last, Failure)
    assert (said in last.reason, "\n" in last.reason) == (True, False), last.reason


@pytest.mark.long
def test_a_function_that_is_another_one_in_float32_is_wrong(make_case: "MakeCase") -> None:
    text = PLAIN.replace("np.tanh(x) @ y", "np.tanh(x) @ (y if x.dtype == np.float64 else y.round(2))")
    report = make_case(text, "numpy").measure("numpy:eager", task="forward")
    assert isinstance(report, Report), explain(report)
    # The referee runs in float32, too, and its error there is what an honest result may have, up to a limit.
    assert "output 0 is off by" in report.verification.reason


@pytest.mark.long
def test_two_models_must_agree_on_every_set_of_inputs(make_case: "MakeCase") -> None:
    first = make_case(PLAIN, "numpy").expect()
    with np.load(first.path) as kept:
        known = float(kept["inputs.0.0"][0, 0])
    # Right on the first set, as a model is whose branch the inputs rarely take.
    text = PLAIN.replace("np.tanh(x) @ y", f"np.tanh(x) @ y * (1 if abs(x[0, 0] - {known}) < 1e-6 else 1.01)")
    last = make_case(text, "numpy").refer(first)
    assert isinstance(last, Failure)
    assert last.outcome == "wrong"
    assert "computes something else than the first model" in last.reason
    assert "its output 0 is off by 0.01 in float64" in last.reason
