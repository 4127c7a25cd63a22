"""A real sweep of workers whose compile time and call times are known finds their break-even."""

from typing import Any

import pytest

from tests.orchestrator.known_sweep import run_known_sweep

pytestmark = [pytest.mark.measures, pytest.mark.long]

TRUTH = 400
"""Calls that save 50 µs each, for 20 ms of compiling."""

SWEEP = """\
[axes]
frameworks = ["synthetic:spin", "synthetic:compiled"]
workloads = ["synthetic:spin_ns=100000:compile_ns=20000000:compiled_ns=50000"]

[timing]
samples = 10
sample_ns = 2000000
warmup_min_ns = 20000000
warmup_max_ns = 50000000
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the break-even of a sweep of eight blocks."""
    (group,) = run_known_sweep(tmp_path_factory.mktemp("breakeven"), SWEEP, "--precision", "0.0001")["groups"]
    (even,) = group["break_even"]
    return dict(even)


def test_the_interval_holds_the_number_that_arithmetic_gives(found: dict[str, Any]) -> None:
    """Give or take one call in a hundred, which starting a phase and reading the clock take."""
    assert found["calls"]["low"] <= TRUTH * 1.01
    assert found["calls"]["high"] == "never" or found["calls"]["high"] >= TRUTH * 0.99


def test_the_interval_leaves_out_what_is_far_from_it(found: dict[str, Any]) -> None:
    assert found["calls"]["low"] > TRUTH / 4


def test_it_is_not_claimed_to_never_pay(found: dict[str, Any]) -> None:
    assert found["payoff"] != "never pays"
