"""Several clients at once: known rates are found, every call is right, and what fails costs no more than its row."""

import itertools
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import psutil
import pytest

from orchestrator.registry.workloads import load_workload_folder
from schemas.event import Report, Throughput
from schemas.judging import AT_ONCE
from tests.selection import mark_long
from workers.measurement import throughput
from workers.measurement.throughput import Client, call_in_threads, pool_latencies, thin_latencies
from workers.process.companions import CompanionFailed, Companions

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work

WAIT_NS = 2_000_000
CORES = (0, 1)
Served = Callable[..., Report]

on_two_cores = pytest.mark.skipif(
    sys.platform != "linux" or not {*CORES} <= os.sched_getaffinity(0), reason="it needs these two cores"
)


@pytest.fixture
def served(ask: "Ask", work: "Work") -> Served:
    """Return the report of a fresh worker whose step was called by several clients at once."""

    def of(framework: str, mode: str, *clients: int, workload: str = "synthetic", **changes: object) -> Report:
        parameters = {"spin_ns": WAIT_NS} if workload == "synthetic" else {}
        spec = ask(framework, mode, workload, parameters, task="forward", **changes)
        timing = spec.timing.model_copy(update={"concurrency": clients})
        return work(spec.model_copy(update={"timing": timing, "shared_cpus": CORES}), fresh=True).report

    return of


def find(report: Report, clients: int, processes: int) -> Throughput:
    (found,) = [each for each in report.throughput if (each.clients, each.processes) == (clients, processes)]
    return found


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "SETTLING_NS", 10_000_000)
    monkeypatch.setattr(throughput, "WINDOW_NS", 50_000_000)


def make_client(step: Callable[..., tuple[object, ...]], sets: int = 3, first: int = 0) -> Client:
    return Client(step, lambda outputs: None, [(number,) for number in range(sets)], first)


def test_calls_that_wait_are_answered_as_often_as_there_are_clients(served: Served) -> None:
    report = served("synthetic", "waiting", 1, 4)
    assert report.verification.reason == ""
    alone, threads, processes = (find(report, *kind) for kind in [(1, 1), (4, 1), (4, 4)])
    # Sleeping takes no core, so that clients do not disturb each other, and never ends early.
    assert alone.per_second < 1e9 / WAIT_NS
    for several in (threads, processes):
        assert 2 * alone.per_second < several.per_second < 4e9 / WAIT_NS
    assert min(alone.latency_ns) >= WAIT_NS


@pytest.mark.long
def test_the_order_is_by_threads_and_then_by_processes(served: Served) -> None:
    report = served("synthetic", "waiting", 2, 1)
    assert [(each.clients, each.processes) for each in report.throughput] == [(2, 1), (1, 1), (2, 2)]
    assert [len(each.calls) for each in report.throughput] == [2, 1, 2]


@pytest.mark.long
def test_the_cores_are_those_that_were_asked_for_and_are_read_back(served: Served) -> None:
    report = served("synthetic", "waiting", 1)
    (cores,) = [each for each in report.settings if each.name == "cores for requests at once"]
    assert cores.asked == cores.got == "0,1"


PINNED = """
    import os
    def weights(parameters, rng): return {"w": rng.standard_normal((4,))}
    def shapes(parameters, batch): return (((batch, 4),),)
    def inputs(parameters, rng, shapes): return tuple(rng.standard_normal(shape) for shape in shapes)
    def backward(parameters, weights, x): raise NotImplementedError
    def forward(parameters, weights, x):
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {CORE})
        try:
            return sum(x * weights["w"] for _ in range(2000)) / 2000
        finally:
            os.sched_setaffinity(0, before)
"""


@on_two_cores
def test_clients_whose_calls_leave_the_cores_lose_their_rows(ask: "Ask", work: "Work", tmp_path: Path) -> None:
    tmp_path.joinpath("workload.toml").write_text('summary = "written by a test"')
    tmp_path.joinpath("reference.py").write_text(dedent(PINNED).replace("CORE", str(CORES[0])))
    code = load_workload_folder(tmp_path).code
    spec = ask("numpy", "eager", tmp_path.name, task="forward", code=code)
    timing = spec.timing.model_copy(update={"concurrency": (1, 2)})
    changes = {"timing": timing, "source_dir": str(tmp_path), "shared_cpus": CORES}
    report = work(spec.model_copy(update=changes), fresh=True).report
    assert report.verification.reason == ""
    said = f"calls stay on {CORES[0]} of the cores {CORES[0]},{CORES[1]}"
    assert [each.error for each in report.throughput] == [said] * 3


@pytest.mark.long
def test_what_each_client_gets_last_is_verified(served: Served) -> None:
    report = served("numpy", "eager", 1, 2, workload="mlp")
    assert report.verification.reason == ""
    assert any(AT_ONCE in check.inputs for check in report.verification.checks)


@pytest.mark.long
def test_a_step_that_is_right_alone_and_wrong_beside_others_is_wrong(served: Served) -> None:
    assert served("synthetic", "crowded", 1).verification.reason == ""
    reason = served("synthetic", "crowded", 4).verification.reason
    assert "is off by" in reason
    assert AT_ONCE in reason


@pytest.mark.long
def test_a_step_that_raises_beside_others_loses_its_row_and_nothing_else(served: Served) -> None:
    report = served("synthetic", "exclusive", 1, 2)
    assert report.verification.reason == ""
    assert find(report, 2, 1).error == "RuntimeError: the step is busy"
    assert find(report, 2, 1).calls == ()
    assert find(report, 1, 1).error == find(report, 2, 2).error == ""


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="this kernel sums no mappings")
def test_memory_is_that_of_all_processes_and_of_none_that_is_idle(served: Served) -> None:
    report = served("synthetic", "waiting", 2, 4)
    one, two, four = (find(report, *kind).pss for kind in [(2, 1), (2, 2), (4, 4)])
    assert one is not None
    assert two is not None
    assert four is not None
    assert one < two < four
    # Two processes have a share of what four have, so the other two were not counted.
    assert two - one < 0.75 * (four - one)


def test_a_job_that_is_not_asked_serves_nobody(ask: "Ask", work: "Work") -> None:
    report = work(ask("synthetic", "waiting", "synthetic", {"spin_ns": 0})).report
    assert report.throughput == ()
    assert "throughput" not in {cost.name for cost in report.phases}


@pytest.mark.long
@pytest.mark.parametrize(
    "mode",
    [
        "torch:eager",
        "torch:script",
        pytest.param("torch:compile", marks=pytest.mark.exhaustive),
        "tensorflow:function",
        "tensorflow:session",
        "jax:jit",
    ],
)
def test_every_runtime_is_right_by_threads_and_by_processes(served: Served, mode: str) -> None:
    framework, _, name = mode.partition(":")
    pytest.importorskip(framework)
    report = served(framework, name, 1, 2, workload="mlp")
    assert report.verification.reason == ""
    assert [each.error for each in report.throughput] == ["", "", ""]
    assert report.compilations in (None, 0)


@pytest.mark.usefixtures("short")
def test_clients_call_all_inputs_in_turn_and_not_in_step() -> None:
    seen = dict[int, list[int]]()

    def note(number: int) -> tuple[int]:
        seen.setdefault(threading.get_ident(), []).append(number)
        time.sleep(0.001)
        return (number,)

    made = call_in_threads([make_client(note, first=first) for first in range(2)], lambda: None)
    assert len(seen) == 2
    for numbers in seen.values():
        assert all((later - earlier) % 3 == 1 for earlier, later in itertools.pairwise(numbers[3:]))
    assert [each.outputs for each in made] == [(each.number,) for each in made]


@pytest.mark.usefixtures("short")
def test_each_thread_is_prepared_before_it_calls() -> None:
    prepared = threading.local()

    def prepare() -> None:
        prepared.is_ready = True

    def check(number: int) -> tuple[int]:
        assert prepared.is_ready
        return (number,)

    assert len(call_in_threads([make_client(check), make_client(check)], prepare)) == 2


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("fails_at", [0, 5])
def test_the_error_of_one_client_ends_all(fails_at: int) -> None:
    left = itertools.count()

    def fail(number: int) -> tuple[int]:
        time.sleep(0.001)
        if next(left) >= fails_at:
            raise ArithmeticError("no such sum")
        return (number,)

    before = threading.active_count()
    with pytest.raises(ArithmeticError, match="no such sum"):
        call_in_threads([make_client(fail), make_client(lambda number: (number,))], lambda: None)
    assert threading.active_count() == before


@pytest.mark.usefixtures("short")
def test_slow_calls_are_counted_as_well() -> None:
    def sleep(number: int) -> tuple[int]:
        time.sleep(0.06)
        return (number,)

    (made,) = call_in_threads([make_client(sleep, sets=1)], lambda: None)
    assert len(made.latencies) >= throughput.LEAST_CALLS
    assert made.took_ns >= sum(made.latencies)


def test_rates_of_clients_add_up() -> None:
    found = Throughput(clients=2, processes=1, calls=(100, 50), took_ns=(10**9, 10**9), latency_ns=(1,))
    assert found.per_second == 150


def test_few_latencies_are_kept_as_they_are_in_order() -> None:
    assert thin_latencies([5, 3, 9]) == (3, 5, 9)


def test_many_latencies_keep_their_quantiles() -> None:
    drawn = list(range(1, 100_001))
    random.Random(1).shuffle(drawn)
    kept = thin_latencies(drawn)
    assert len(kept) == 1000
    assert list(kept) == sorted(kept)
    assert abs(kept[500] - 50_000) < 200
    assert abs(kept[990] - 99_050) < 200


def test_a_client_of_many_calls_weighs_more_than_one_of_few() -> None:
    kept = pool_latencies([(9000, [10] * 500), (1000, [99] * 500)])
    assert len(kept) == 1000
    assert sum(each == 99 for each in kept) == pytest.approx(100, abs=1)


REFERENCE = """
    import os, sys
    def weights(parameters, rng): return {"w": rng.standard_normal((4,))}
    def shapes(parameters, batch): return (((batch, 4),),)
    def inputs(parameters, rng, shapes): return tuple(rng.standard_normal(shape) for shape in shapes)
    def backward(parameters, weights, x): raise NotImplementedError
    def forward(parameters, weights, x):
        if sys.argv[1:] == ["accompany"]:
            FAULT
        return x * weights["w"]
"""


FAULTS = [
    ("raise ArithmeticError('no such sum')", "another process of this cell failed: ArithmeticError: no such sum"),
    ("os._exit(3)", "another process of this cell ended with status 3"),
    ("os.kill(os.getpid(), 9)", "another process of this cell ended with status -9"),
]


@pytest.mark.parametrize(("fault", "said"), mark_long(FAULTS, quick=FAULTS[2:]))
def test_a_process_that_fails_costs_the_rows_of_processes_alone(
    ask: "Ask", work: "Work", tmp_path: Path, fault: str, said: str
) -> None:
    tmp_path.joinpath("workload.toml").write_text('summary = "written by a test"')
    tmp_path.joinpath("reference.py").write_text(dedent(REFERENCE).replace("FAULT", fault))
    code = load_workload_folder(tmp_path).code
    spec = ask("numpy", "eager", tmp_path.name, task="forward", code=code)
    timing = spec.timing.model_copy(update={"concurrency": (1, 2)})
    report = work(spec.model_copy(update={"timing": timing, "source_dir": str(tmp_path)}), fresh=True).report
    assert report.verification.reason == ""
    assert find(report, 1, 1).per_second > 0
    assert find(report, 2, 1).per_second > 0
    assert find(report, 2, 2) == Throughput(clients=2, processes=2, error=said)


def test_companions_end_with_their_context_and_leave_nothing(ask: "Ask") -> None:
    spec = ask("synthetic", "waiting", "synthetic", {"spin_ns": 0}, task="forward")
    with Companions(spec, 2) as companions:
        pids = companions.pids
        assert all(map(psutil.pid_exists, pids))
    assert not any(map(psutil.pid_exists, pids))


def test_an_answer_that_nobody_has_read_is_none_to_the_next_round(ask: "Ask") -> None:
    spec = ask("synthetic", "waiting", "synthetic", {"spin_ns": 0}, task="forward")
    with Companions(spec, 1) as companions:
        early, late = (throughput.choose_begin_ns() + 10**9 * second for second in (0, 1))
        (companion,) = companions.begin_round(1, early)
        companions.begin_round(1, late)
        assert companion.read_served(late).begin_ns == late


def test_companions_end_with_the_first_that_fails(ask: "Ask") -> None:
    spec, before = ask("synthetic", "no-such-mode", "synthetic", {"spin_ns": 0}, task="forward"), list_children()
    with pytest.raises(CompanionFailed, match="no mode no-such-mode"), Companions(spec, 2):
        pass
    assert list_children() == before


def list_children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}
