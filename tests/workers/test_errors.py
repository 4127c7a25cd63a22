"""An error is told in one line, with the place that a reader has to look at."""

from pathlib import Path

import numpy as np
import pytest

from workers import workloads
from workers.errors import is_out_of_memory, last_line, where


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


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (MemoryError(), True), (OSError(12, "Cannot allocate memory"), True), (ValueError("too small"), False),
        (ImportError("libc10.so: failed to map segment from shared object"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
    ],
)  # fmt: skip
def test_want_of_memory_is_known_by_whatever_name(error: Exception, *, memory: bool) -> None:
    assert is_out_of_memory(error) == memory


def test_a_long_message_is_cut() -> None:
    assert last_line(ValueError("x" * 10_000)).startswith("ValueError: xxx")
    assert len(last_line(ValueError("x" * 10_000))) <= 300


def test_an_error_in_a_workload_names_its_innermost_line() -> None:
    without_its_bias = {"W_0": np.ones((1, 1)), "another": np.ones(1)}
    with pytest.raises(KeyError) as caught:
        workloads.reference("mlp").backward({}, without_its_bias, np.ones((1, 1)))
    file, line = where(caught.value).rsplit(":", 1)
    assert Path(file).parts[-2:] == ("mlp", "reference.py")
    assert 'weights[f"b_{layer}"]' in Path(file).read_text().splitlines()[int(line) - 1]


def test_an_error_that_never_came_through_the_measured_side_has_no_place() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        assert 1 / 0
    assert where(caught.value) == ""
