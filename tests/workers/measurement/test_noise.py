"""Disturbances during samples are counted, and those between samples are not."""

import functools
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
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


def test_every_burst_has_its_counters_and_its_canary_and_every_sample_its_cpu_time() -> None:
    songs = iter([11, 12, 13])
    observer = Observer(lambda: next(songs))
    for _ in range(4):
        observer()
    found = observer.collect_noise(range(30), burst=10)
    assert found.canary_ns == (11, 12, 13)
    assert {len(found.run_delay_ns), len(found.steal_ns), len(found.pressure_ns)} == {3}
    assert found.cpu_ns == tuple(range(30))
    assert [found.reading_of(sample) for sample in (0, 9, 10, 29)] == [0, 0, 1, 2]


@pytest.mark.measures
@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel does not count run delay")
def test_what_the_canary_waits_for_is_not_charged_to_a_burst(shared_core: None) -> None:
    def canary() -> int:
        spin(200_000_000)
        return 1

    observer = Observer(canary)
    observer()
    observer()
    observer()
    assert max(observer.collect_noise(()).run_delay_ns) < 100_000_000 <= noise.read_run_delay_ns()


@pytest.mark.measures
@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel does not count run delay")
def test_waiting_for_a_core_that_another_process_holds_is_run_delay(shared_core: None) -> None:
    observer = Observer(lambda: 1)
    observer()
    spin(100_000_000)
    observer()
    assert observer.collect_noise(()).run_delay_ns[0] > 10_000_000


def test_a_thread_that_is_there_is_counted() -> None:
    before, leave = Observer(lambda: 1).collect_noise(()).threads, threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    after = Observer(lambda: 1).collect_noise(()).threads
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
    assert lost_ns(took, 200_000_000) > 0.2 * took
    assert lost_ns(took, took) == 0


@pytest.mark.measures
def test_nothing_is_lost_while_the_threads_of_one_process_keep_its_core_busy_by_themselves() -> None:
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(own)})
    without_the_lock = functools.partial(hashlib.pbkdf2_hmac, "sha256", b"password", b"salt", 500_000)
    threads = [threading.Thread(target=without_the_lock) for _ in range(2)]
    lost_ns, before, used = noise.make_sample_watch(1)(), noise.read_run_delay_ns(), time.process_time_ns()
    start = time.perf_counter_ns()
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    took, waited = time.perf_counter_ns() - start, noise.read_run_delay_ns() - before
    lost = lost_ns(took, time.process_time_ns() - used)
    for thread in threads:
        thread.join()
    os.sched_setaffinity(0, own)
    assert waited > 0.2 * took
    assert lost < 0.5 * waited


@dataclass(frozen=True)
class Kernel:
    """A kernel whose files a test writes."""

    root: Path

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Put a folder in the place of /proc and of the cgroups."""
    monkeypatch.setattr(noise, "PROC", tmp_path / "proc")
    monkeypatch.setattr(noise, "CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(noise, "OPEN_FILES", {})
    return Kernel(tmp_path)


def test_the_delay_of_all_threads_is_added_up(kernel: Kernel) -> None:
    for task, waited in ((1, 500), (2, 70)):
        kernel.write(f"proc/self/task/{task}/schedstat", f"123 {waited} 9\n")
    kernel.write("proc/self/task/3/schedstat", "")
    assert {*noise.list_threads()} == {"1", "2", "3"}
    assert noise.read_run_delay_ns() == 570


def test_a_file_that_is_kept_open_is_read_anew_each_time(kernel: Kernel) -> None:
    kernel.write("proc/self/task/1/schedstat", "1 5 1\n")
    assert noise.read_run_delay_ns() == 5
    kernel.write("proc/self/task/1/schedstat", "1 8 1\n")
    assert noise.read_run_delay_ns() == 8


@pytest.mark.parametrize(
    ("text", "ticks"),
    [("cpu  1 2 3 4 5 6 7 80 9 10\ncpu0 1 1\n", 80), ("cpu  1 2 3 4 5 6 7\n", 0), ("", 0), ("cpu\n", 0)],
)
def test_stolen_time_is_the_eighth_number_of_the_whole_machine(kernel: Kernel, text: str, ticks: int) -> None:
    kernel.write("proc/stat", text)
    assert noise.read_steal_ns() == ticks * noise.TICK_NS


@pytest.mark.parametrize(
    ("text", "waited_us"),
    [("some avg10=0.00 avg60=0.00 avg300=0.00 total=123\nfull avg10=0.00 total=9\n", 123), ("", 0)],
)
def test_pressure_is_that_of_some_task(kernel: Kernel, text: str, waited_us: int) -> None:
    kernel.write("proc/pressure/cpu", text)
    assert noise.read_pressure_ns() == 1000 * waited_us


def test_a_kernel_without_counters_has_counted_nothing(kernel: Kernel) -> None:
    assert noise.read_counters() == noise.Counters(run_delay_ns=0, steal_ns=0, pressure_ns=0)
    assert (noise.count_throttled(), noise.count_migrations(), noise.list_threads()) == (None, None, [])


def test_a_quota_counts_wherever_it_stands_above_the_process(kernel: Kernel) -> None:
    kernel.write("proc/self/cgroup", "0::/user/me\n")
    kernel.write("groups/user/me/cpu.stat", "usage_usec 5\nnr_periods 9\nnr_throttled 3\n")
    kernel.write("groups/user/cpu.stat", "nr_throttled 4\n")
    kernel.write("groups/other/cpu.stat", "nr_throttled 100\n")
    assert noise.count_throttled() == 7


def test_a_quota_of_version_1_is_where_its_controller_is_mounted(kernel: Kernel) -> None:
    kernel.write("proc/self/cgroup", "4:cpu,cpuacct:/job\n3:memory:/job\n")
    kernel.write("groups/cpu,cpuacct/job/cpu.stat", "nr_throttled 2\n")
    assert noise.count_throttled() == 2


def test_a_path_of_a_cgroup_does_not_lead_above_the_mount(kernel: Kernel) -> None:
    kernel.write("proc/self/cgroup", "0::/a/b\n")
    assert all(path.is_relative_to(kernel.root / "groups") for path in noise.find_own_cgroups())


def test_moves_to_another_core_are_those_of_the_scheduler(kernel: Kernel) -> None:
    kernel.write("proc/self/sched", "python (1, #threads: 1)\nse.nr_migrations                 :      42\n")
    assert noise.count_migrations() == 42


def test_a_sample_loses_no_more_than_its_process_left_its_cores_unused(kernel: Kernel) -> None:
    kernel.write("proc/self/task/1/schedstat", "1 0 1\n")
    lost_ns = noise.make_sample_watch(1)()
    kernel.write("proc/self/task/1/schedstat", "1 5000000000 1\n")
    assert lost_ns(0, 0) == 0
    assert lost_ns(10**9, 4 * 10**8) == 6 * 10**8
    assert lost_ns(10**9, 10**9 + 7) == 0
    assert lost_ns(10**12, 0) == 5_000_000_000


def test_the_canary_sings_the_faster_of_two_products() -> None:
    moments = iter([0, 50, 100, 130])
    assert noise.make_canary(lambda: next(moments))() == 30


def test_a_counter_that_was_set_back_has_not_moved(kernel: Kernel) -> None:
    kernel.write("proc/stat", "cpu  1 2 3 4 5 6 7 80 9 10\n")
    observer = Observer(lambda: 1)
    observer()
    kernel.write("proc/stat", "cpu  1 2 3 4 5 6 7 30 9 10\n")
    observer()
    assert observer.collect_noise((0,)).steal_ns == (0,)
