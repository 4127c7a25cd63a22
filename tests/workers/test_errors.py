"""An error is told in one line, with the place that a reader has to look at."""

from pathlib import Path

import numpy as np
import pytest

from workers import workloads
from workers.errors import last_line, where


def raised_by_a_workload() -> Exception:
    with pytest.raises(KeyError) as caught:
        workloads.reference("rnn_cell").forward({}, np.ones((1, 1)), np.ones((1, 1)))
    return caught.value


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("too small"), "ValueError: too small"),
        (RuntimeError("in a graph\n  node 1\n\n  node 2 is bad\n"), "RuntimeError: node 2 is bad"),
        (RuntimeError("a trace\nRuntimeError: the cause"), "RuntimeError: the cause"),
        (KeyError("W_h"), "KeyError: 'W_h'"),
        (ValueError(), "ValueError: "),
    ],
)
def test_an_error_is_its_type_and_the_last_line_of_what_it_says(error: Exception, line: str) -> None:
    assert last_line(error) == line


def test_a_long_message_is_cut() -> None:
    assert last_line(ValueError("x" * 10_000)).startswith("ValueError: xxx")
    assert len(last_line(ValueError("x" * 10_000))) <= 300


def test_an_error_in_a_workload_names_the_line_of_the_workload() -> None:
    file, line = where(raised_by_a_workload()).rsplit(":", 1)
    assert Path(file).parts[-2:] == ("rnn_cell", "reference.py")
    assert 'weights["W_h"]' in Path(file).read_text().splitlines()[int(line) - 1]


def test_an_error_that_never_came_through_the_measured_side_has_no_place() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        assert 1 / 0
    assert where(caught.value) == ""
