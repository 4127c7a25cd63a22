"""Memory over many calls: what a call keeps is found, however little, and what it returns is none."""

import gc
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.analysis.derivation.memory import measure_slope
from schemas.event import Growth, Report
from schemas.job import JobSpec
from workers.frameworks.synthetic import LEAK_BYTES
from workers.measurement import growth

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported

CALLS = 10_000
pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="this kernel sums no mappings")


def ask_for_growth(spec: JobSpec, calls: int = CALLS) -> JobSpec:
    return spec.model_copy(update={"timing": spec.timing.model_copy(update={"growth_calls": calls})})


@pytest.fixture
def watch(ask: "Ask", reported: "Reported") -> Callable[..., Growth]:
    """Return the memory of one process of a cell over many calls."""

    def of(framework: str, mode: str, workload: str, **changes: object) -> Growth:
        found: Report = reported(ask_for_growth(ask(framework, mode, workload, **changes)))
        assert found.verification.reason == ""
        assert found.growth is not None
        return found.growth

    return of


@pytest.fixture
def little_garbage() -> Iterator[None]:
    """Keep the collector from what other tests have left: it would take seconds for each of many readings."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("little_garbage")
def test_calls_are_spread_evenly_between_the_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(growth, "read_anonymous_bytes", lambda: 1 + len(seen))
    found = growth.measure_growth(seen.append, 400)
    assert found == Growth(calls=20, anonymous=tuple(range(1, 402, 20)))
    assert seen == list(range(400))


@pytest.mark.usefixtures("little_garbage")
@pytest.mark.parametrize("calls", [2, 3, 19, 20, 21, 39, 40, 59])
def test_no_more_calls_are_made_than_allowed_however_few(monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    seen: list[int] = []
    monkeypatch.setattr(growth, "read_anonymous_bytes", lambda: 1)
    found = growth.measure_growth(seen.append, calls)
    assert found is not None
    assert calls - growth.INTERVALS < len(seen) <= calls
    assert len(seen) == found.calls * (len(found.anonymous) - 1)


@pytest.mark.parametrize("calls", [0, 1])
def test_a_single_call_shows_no_growth_and_is_not_made(calls: int) -> None:
    seen: list[int] = []
    assert growth.measure_growth(seen.append, calls) is None
    assert seen == []


def test_where_memory_is_not_counted_no_call_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "read_anonymous_bytes", lambda: 0)
    seen: list[int] = []
    assert growth.measure_growth(seen.append, 100) is None
    assert seen == []


def test_memory_of_no_file_is_read() -> None:
    before = growth.read_anonymous_bytes()
    held = bytearray(b"x" * (32 << 20))
    assert 0.9 * len(held) < growth.read_anonymous_bytes() - before < 1.2 * len(held)


@pytest.mark.usefixtures("little_garbage")
def test_cycles_that_only_the_collector_frees_are_not_kept() -> None:
    def make_cycle(_: int) -> None:
        cycle: list[object] = [bytearray(b"x" * 4096)]
        cycle.append(cycle)

    found = growth.measure_growth(make_cycle, 4000)
    assert found is not None
    assert measure_slope(found) < 64


def test_one_kibibyte_a_call_is_found(watch: Callable[..., Growth]) -> None:
    found = watch("synthetic", "leaking", "synthetic")
    assert len(found.anonymous) == growth.INTERVALS + 1
    assert found.calls * growth.INTERVALS == CALLS
    # An object of this size has a header, and the allocator rounds it up.
    assert LEAK_BYTES <= measure_slope(found) < 1.1 * LEAK_BYTES
    assert all(after > before for before, after in pairwise(found.anonymous))


@pytest.mark.parametrize("mode", ["spin", "compiled"])
def test_a_call_that_keeps_nothing_does_not_grow(watch: Callable[..., Growth], mode: str) -> None:
    assert abs(measure_slope(watch("synthetic", mode, "synthetic"))) < 1


def test_without_being_asked_nobody_watches(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask("synthetic", "spin", "mlp"))
    assert found.growth is None
    assert "growth" not in {cost.name for cost in found.phases}


@pytest.mark.long
@pytest.mark.exhaustive
def test_long_calls_end_before_a_deadline(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask_for_growth(ask("synthetic", "spin", "synthetic", {"spin_ns": 20_000_000}), calls=1_000_000))
    assert found.growth is not None
    assert found.growth.calls * growth.INTERVALS <= 30e9 / 20e6
    (cost,) = (cost for cost in found.phases if cost.name == "growth")
    assert cost.wall_ns < 60e9


@pytest.mark.long
@pytest.mark.parametrize(
    ("framework", "mode", "workload", "task"),
    [
        ("numpy", "eager", "rnn_cell", "backward"),
        ("torch", "eager", "rnn_cell", "backward"),
        ("torch", "trace", "mlp", "forward"),
        ("torch", "script", "mlp", "backward"),
        ("torch", "compile", "rnn_cell", "forward"),
        ("torch", "eager", "mlp", "train-adam"),
        ("tensorflow", "eager", "rnn_cell", "forward"),
        ("tensorflow", "function", "mlp", "backward"),
        ("tensorflow", "session", "mlp", "forward"),
        ("jax", "eager", "rnn_cell", "forward"),
        ("jax", "jit", "mlp", "backward"),
    ],
)
def test_an_honest_mode_keeps_less_than_a_number_a_call(
    watch: Callable[..., Growth], framework: str, mode: str, workload: str, task: str
) -> None:
    assert abs(measure_slope(watch(framework, mode, workload, task=task))) < 8
