"""Disturbances during samples are counted, and those between samples are not."""

import functools
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.measurement import noise
from workers.measurement.noise import Observer

SPINNING = "print('spinning', flush=True)\nwhile True: pass"


def spin(cpu_ns: int) -> None:
    """Use an amount of CPU time."""
    end = time.process_time_ns() + cpu_ns
    while time.process_time_ns() < end:
        pass


@pytest.fixture
def shared_core() -> Iterator[None]:
    """Pin this process to one core, shared with another process that never rests."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(own)})
    rival = subprocess.Popen([sys.executable, "-c", SPINNING], stdout=subprocess.PIPE)
    assert rival.stdout is not None
    with rival.stdout as output:
        output.readline()
        yield
        rival.kill()
    rival.wait()
    os.sched_setaffinity(0, own)


def test_every_sample_has_its_counters_and_its_canary() -> None:
    songs = iter([11, 12, 13])
    observer = Observer(lambda: next(songs))
    for _ in range(4):
        observer()
    found = observer.collect_noise()
    assert found.canary_ns == (11, 12, 13)
    assert {len(found.run_delay_ns), len(found.steal_ns), len(found.pressure_ns), len(found.cpu_ns)} == {3}


@pytest.mark.measures
def test_the_cpu_time_of_a_sample_is_its_own_and_not_the_canarys() -> None:
    def canary() -> int:
        spin(200_000_000)
        return 1

    observer = Observer(canary)
    observer()
    for cpu_ns in (40_000_000, 0):
        spin(cpu_ns)
        observer()
    busy, idle = observer.collect_noise().cpu_ns
    assert 40_000_000 <= busy < 200_000_000
    assert idle < 40_000_000


@pytest.mark.measures
@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel does not count run delay")
def test_waiting_for_a_core_that_another_process_holds_is_run_delay(shared_core: None) -> None:
    observer = Observer(lambda: 1)
    observer()
    spin(100_000_000)
    observer()
    assert observer.collect_noise().run_delay_ns[0] > 10_000_000


def test_a_thread_that_is_there_is_counted() -> None:
    before, leave = Observer(lambda: 1).collect_noise().threads, threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    after = Observer(lambda: 1).collect_noise().threads
    leave.set()
    thread.join()
    assert after == before + 1


@pytest.mark.parametrize(("before", "after", "moved"), [(3, 5, 2), (None, 5, None), (3, None, None)])
def test_a_counter_that_is_not_there_has_not_moved_by_zero(
    before: int | None, after: int | None, moved: int | None
) -> None:
    assert noise.subtract_counts(before, after) == moved


@pytest.mark.measures
def test_what_another_process_took_of_a_sample_is_lost(shared_core: None) -> None:
    lost_ns, start = noise.make_sample_watch(1)(), time.perf_counter_ns()
    spin(200_000_000)
    took = time.perf_counter_ns() - start
    assert lost_ns(took) > 0.2 * took


@pytest.mark.measures
def test_nothing_is_lost_while_the_threads_of_one_process_keep_its_core_busy_by_themselves() -> None:
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(own)})
    without_the_lock = functools.partial(hashlib.pbkdf2_hmac, "sha256", b"password", b"salt", 500_000)
    threads = [threading.Thread(target=without_the_lock) for _ in range(2)]
    lost_ns, before, start = noise.make_sample_watch(1)(), noise.read_run_delay_ns(), time.perf_counter_ns()
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    took, waited = time.perf_counter_ns() - start, noise.read_run_delay_ns() - before
    lost = lost_ns(took)
    for thread in threads:
        thread.join()
    os.sched_setaffinity(0, own)
    assert waited > 0.2 * took
    assert lost < 0.5 * waited
