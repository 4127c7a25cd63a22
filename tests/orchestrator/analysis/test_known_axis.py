"""A real sweep along a parameter whose times are known finds their ratio."""

from typing import Any

import pytest

from tests.orchestrator.known_sweep import run_known_sweep

pytestmark = [pytest.mark.long, pytest.mark.measures]

TRUTH = 2
"""The second value spins twice as long."""

SWEEP = """\
compare_by = "spin_ns"

[axes]
frameworks = ["synthetic:spin"]
workloads = ["synthetic:spin_ns=100000/200000"]
tasks = ["forward"]

[timing]
samples = 20
sample_ns = 2000000
warmup_min_ns = 20000000
warmup_max_ns = 50000000
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the document of a sweep of at most eight blocks."""
    return run_known_sweep(tmp_path_factory.mktemp("axis"), SWEEP)


def test_the_interval_holds_the_ratio_that_is_known(found: dict[str, Any]) -> None:
    """Give or take one call in a hundred, which the product before the spinning takes."""
    (table,) = found["compared_by"]["tables"]
    first, second = table["rows"]
    assert (first["value"], second["value"], second["baseline"]) == (100_000, 200_000, 100_000)
    assert second["ratio"]["low"] <= TRUTH * 1.01
    assert second["ratio"]["high"] >= TRUTH * 0.99
    assert second["ratio"]["high"] / second["ratio"]["low"] < 1.5


def test_the_run_counts_as_compared_by_its_axis(found: dict[str, Any]) -> None:
    assert found["manifest"]["sweep"]["compare_by"] == "spin_ns"
    assert found["compared_by"]["tables"][0]["title"].startswith("synthetic forward (compile_ns=")
    assert "spin_ns" not in found["compared_by"]["tables"][0]["title"]
