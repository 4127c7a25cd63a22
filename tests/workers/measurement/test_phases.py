"""The costs of each phase are kept apart, in the order in which the phases began."""

import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Phase, PhaseCost, PhaseMemory
from workers.measurement import phases
from workers.measurement.phases import Ledger, merge_costs, read_waits

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported, Work


def ignore(phase: Phase) -> None:
    """Ignore an announcement."""


def test_a_phase_is_announced_before_it_begins() -> None:
    heard: list[str] = []
    with Ledger(lambda phase: heard.append(phase.name)).phase("build"):
        heard.append("the work")
    assert heard == ["build", "the work"]


def test_announcing_a_phase_is_not_part_of_what_it_took() -> None:
    ledger = Ledger(lambda _: time.sleep(0.2))
    with ledger.phase("build"):
        pass
    assert ledger.costs[0].wall_ns < 200_000_000


def test_the_phases_are_listed_in_the_order_in_which_they_were_opened() -> None:
    ledger = Ledger(ignore)
    for name in ("import", "verify", "steady", "verify"):
        with ledger.phase(name):
            pass
    assert [cost.name for cost in ledger.costs] == ["import", "verify", "steady", "ledger"]


def test_a_phase_that_is_entered_twice_is_added_up() -> None:
    ledger = Ledger(ignore)
    with ledger.phase("verify"):
        time.sleep(0.02)
    once = ledger.costs[0]
    with ledger.phase("verify"):
        time.sleep(0.03)
    twice, _ = ledger.costs
    assert once.wall_ns >= 20_000_000
    assert twice.wall_ns >= once.wall_ns + 30_000_000
    assert twice.cpu_ns >= once.cpu_ns


def test_sleeping_takes_time_and_no_cpu_time() -> None:
    ledger = Ledger(ignore)
    with ledger.phase("import"):
        time.sleep(0.1)
    assert ledger.costs[0].cpu_ns < ledger.costs[0].wall_ns / 2


@pytest.mark.skipif(sys.platform != "linux", reason="only there memory is read from /proc")
@pytest.mark.parametrize("is_read", [True, False])
def test_memory_is_read_unless_it_is_shared_with_a_template(*, is_read: bool) -> None:
    ledger = Ledger(ignore, reads_memory=is_read)
    ledger.record_start()
    with ledger.phase("build"):
        pass
    assert [cost.memory is not None for cost in ledger.costs if cost.name != "ledger"] == [is_read, is_read]


def test_a_phase_that_raises_lets_the_error_through() -> None:
    with pytest.raises(ArithmeticError), Ledger(ignore).phase("import"):
        raise ArithmeticError


def test_a_worker_announces_its_phases_in_order_and_reports_each_once(ask: "Ask", work: "Work") -> None:
    events = work(ask("numpy", "eager", "rnn_cell")).events
    before = ["import", "initialise", "data", "build", "first_call", "second_call"]
    announced = [*before, "verify", "warm_up", "steady", "verify", "memory", "verify", "report"]
    assert [event.name for event in events if event.kind == "phase"] == announced
    assert events[-1].kind == "report"
    order = ["start", *before, "verify", "warm_up", "steady", "memory", "report", "ledger"]
    assert [cost.name for cost in events[-1].phases] == order


def test_a_mode_that_neither_traces_nor_compiles_has_no_such_phase(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask("numpy", "eager", "mlp"))
    assert not {"trace", "compile"} & {cost.name for cost in found.phases}


@pytest.mark.long
def test_a_known_time_is_in_the_phases_that_call_and_in_no_other(ask: "Ask", reported: "Reported") -> None:
    spin_ns = 10_000_000
    found = reported(ask("synthetic", "spin", "synthetic", {"spin_ns": spin_ns}))
    took = {cost.name: cost.wall_ns for cost in found.phases}
    assert took["first_call"] >= spin_ns
    assert took["second_call"] >= spin_ns
    assert took["steady"] >= 10 * spin_ns


def memory_of(start: int, peak: int, end: int, pss: int | None = None) -> PhaseMemory:
    return PhaseMemory(start=start, peak=peak, end=end, pss=pss, uss=pss, processes=1)


def test_two_parts_of_a_phase_begin_with_the_first_and_end_with_the_second() -> None:
    first = PhaseCost(name="verify", wall_ns=10, cpu_ns=5, memory=memory_of(100, 900, 200, 7))
    second = PhaseCost(name="verify", wall_ns=20, cpu_ns=3, memory=memory_of(200, 400, 300, 9))
    found = merge_costs(first, second)
    assert (found.name, found.wall_ns, found.cpu_ns, found.memory) == ("verify", 30, 8, memory_of(100, 900, 300, 9))


def test_where_one_part_does_not_know_its_memory_the_whole_does_not() -> None:
    known = PhaseCost(name="verify", wall_ns=1, cpu_ns=1, memory=memory_of(1, 2, 3))
    unknown = known.model_copy(update={"memory": None})
    assert merge_costs(known, unknown).memory is None
    assert merge_costs(unknown, known).memory is None


def test_a_phase_that_raises_is_not_closed_and_costs_nothing() -> None:
    ledger = Ledger(ignore)
    with pytest.raises(ArithmeticError), ledger.phase("build"):
        raise ArithmeticError
    assert ledger.costs == ()


def test_the_start_of_the_process_is_a_phase_before_all_others() -> None:
    ledger = Ledger(ignore)
    ledger.record_start()
    with ledger.phase("import"):
        pass
    names = [cost.name for cost in ledger.costs]
    assert names in (["start", "import", "ledger"], ["import", "ledger"])  # without /proc no start is known


COUNTED = read_waits()[0] is not None
needs_waits = pytest.mark.skipif(not COUNTED, reason="this kernel does not count how long threads wait for a core")


def spin(duration_ns: int) -> None:
    end = time.thread_time_ns() + duration_ns
    while time.thread_time_ns() < end:
        pass


@needs_waits
def test_the_main_threads_time_is_on_a_core_or_waiting_or_asleep() -> None:
    ledger = Ledger(ignore)
    with ledger.phase("import"):
        spin(50_000_000)
        time.sleep(0.1)
    cost = ledger.costs[0]
    assert cost.main_cpu_ns is not None
    assert cost.waiting_ns is not None
    assert cost.asleep_ns is not None
    assert cost.main_cpu_ns >= 50_000_000
    assert cost.asleep_ns >= 50_000_000
    parts = cost.main_cpu_ns + cost.waiting_ns + (cost.io_ns or 0) + cost.asleep_ns
    assert parts == pytest.approx(cost.wall_ns, rel=0.1)


@needs_waits
def test_a_core_that_another_process_takes_makes_a_phase_wait() -> None:
    ledger, before = Ledger(ignore), os.sched_getaffinity(0)
    hog = subprocess.Popen([sys.executable, "-I", "-S", "-c", "print(flush=True)\nwhile True: pass"], stdout=-1)
    try:
        assert hog.stdout is not None
        hog.stdout.readline()
        for pid in (hog.pid, 0):
            os.sched_setaffinity(pid, {min(before)})
        with ledger.phase("import"):
            spin(300_000_000)
    finally:
        os.sched_setaffinity(0, before)
        hog.kill()
        hog.communicate()
    cost = ledger.costs[0]
    assert cost.waiting_ns is not None
    assert cost.asleep_ns is not None
    assert cost.waiting_ns > cost.wall_ns / 5
    assert cost.waiting_ns > cost.asleep_ns


def test_the_spans_of_a_phase_are_on_the_clock_of_the_whole_system() -> None:
    ledger, before = Ledger(ignore), time.monotonic_ns()
    for name in ("verify", "steady", "verify"):
        with ledger.phase(name):
            pass
    after = time.monotonic_ns()
    verify, steady, reading = ledger.costs
    assert [len(each.spans) for each in (verify, steady, reading)] == [2, 1, 3]
    spans = sorted((*verify.spans, *steady.spans, *reading.spans))
    assert before <= spans[0][0]
    assert spans[-1][1] <= after
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert sum(end - start for start, end in verify.spans) == verify.wall_ns


def test_waits_are_unknown_where_the_kernel_does_not_count_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phases, "PROC", tmp_path)
    monkeypatch.setattr(phases, "is_io_counted", lambda: False)
    assert read_waits() == (None, None)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "schedstat").write_text("0 0 0\n")
    assert read_waits() == (None, None)
    (tmp_path / "self" / "schedstat").write_text("5 0 1\n")
    assert read_waits() == (0, None)


def test_waiting_for_a_disk_is_read_where_the_kernel_counts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phases, "PROC", tmp_path)
    monkeypatch.setattr(phases, "is_io_counted", lambda: True)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "schedstat").write_text("900 70 1\n")
    fields = [str(number) for number in range(3, 53)]  # numbered as in proc_pid_stat(5)
    (tmp_path / "self" / "stat").write_text(f"7 (a name) with ) {' '.join(fields)}\n")
    assert read_waits() == (70, 42 * phases.TICK_NS)


def test_the_parts_of_a_merged_phase_add_up_and_an_unknown_part_makes_the_sum_unknown() -> None:
    one = PhaseCost(name="verify", wall_ns=10, cpu_ns=5, main_cpu_ns=4, waiting_ns=3, spans=((0, 10),))
    other = PhaseCost(name="verify", wall_ns=20, cpu_ns=3, main_cpu_ns=2, waiting_ns=1, io_ns=7, spans=((30, 50),))
    found = merge_costs(one, other)
    assert (found.main_cpu_ns, found.waiting_ns, found.io_ns) == (6, 4, None)
    assert found.spans == ((0, 10), (30, 50))
    assert found.asleep_ns == 20
    assert one.model_copy(update={"waiting_ns": None}).asleep_ns is None
