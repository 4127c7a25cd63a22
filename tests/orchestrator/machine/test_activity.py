import os
import subprocess
import sys
import time
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from orchestrator.machine import activity
from orchestrator.machine.activity import (
    TICKS_PER_S,
    Activity,
    BusyProcess,
    ClockQuality,
    ProcessTimes,
    Storage,
    find_busy_processes,
    observe_activity,
    read_processes,
)
from orchestrator.machine.affinity import list_cores
from orchestrator.machine.kernel_files import KernelFiles
from tests.orchestrator.machine.kernel import CPUS, POWER, STAT, Build, Texts, write

WORK_S = 1.5


# A process whose descendant works for a while and waits then for a byte: once it comes, all below it end one by one.
WORK = f"import sys, time\nwhile time.process_time() < {WORK_S}: pass\nprint('worked', flush=True)\nsys.stdin.read(1)"


SHELL = ["sh", "-c", '"$@"; true', "sh", sys.executable, "-c", WORK]


WAIT = "import subprocess, sys, time\nsubprocess.run(sys.argv[1:])\nprint('reaped', flush=True)\ntime.sleep(60)"


FAMILY = [sys.executable, "-c", WAIT, *SHELL]


# One second of one core.
TICKS = 100.0


Table = Mapping[int, tuple[int, int, int]]


def shares(before: Table, after: Table) -> dict[int, float]:
    """Return the shares of processes by number, from their parents, their ticks and those that they have reaped."""
    earlier, later = ({(pid, "5"): ProcessTimes("x", *of) for pid, of in each.items()} for each in (before, after))
    return {each.pid: each.cores for each in find_busy_processes(earlier, later, TICKS)}


def test_what_an_ended_grandchild_used_earlier_does_not_count_for_the_one_who_is_left() -> None:
    before = {1: (0, 0, 0), 2: (1, 10, 0), 3: (2, 5, 0), 4: (3, 700, 80)}
    after = {1: (0, 0, 0), 2: (1, 10, 5 + 780 + 30)}
    assert shares(before, after) == {2: 0.3}


def test_what_an_orphan_used_earlier_does_not_count_for_the_one_who_adopts_it() -> None:
    before = {1: (0, 0, 0), 2: (1, 10, 0), 3: (2, 5, 0), 4: (3, 700, 0)}
    assert shares(before, {1: (0, 0, 700 + 20), 2: (1, 10, 5)}) == {1: 0.2}
    # Process 6 is not below process 1, which adopts its child all the same.
    before = {1: (0, 0, 0), 6: (0, 3, 0), 7: (6, 900, 0)}
    assert shares(before, {1: (0, 0, 900 + 40)}) == {1: 0.4}


def test_what_a_process_uses_itself_is_not_reduced_by_what_its_children_used() -> None:
    before, after = {2: (1, 10, 0), 3: (2, 700, 0)}, {2: (1, 90, 0)}
    assert shares(before, after) == {2: 0.8}  # its children's times are lost if it ignores SIGCHLD


def test_a_child_of_a_living_parent_is_reaped_by_nobody_else() -> None:
    before = {1: (0, 0, 0), 2: (1, 0, 0), 3: (2, 0, 0), 4: (3, 700, 0)}
    after = {1: (0, 0, 0), 2: (1, 0, 50), 3: (2, 0, 700 + 10)}
    assert shares(before, after) == {2: 0.5, 3: 0.1}


def test_processes_that_name_each_other_as_parents_are_counted_and_not_followed_for_ever() -> None:
    before = {2: (3, 5, 0), 3: (2, 5, 0), 4: (4, 5, 0), 5: (9, 0, 0)}
    assert shares(before, {5: (9, 20, 0)}) == {5: 0.2}


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="processes are read from Linux's /proc")
def test_no_process_has_more_than_all_cores_though_a_busy_descendant_of_it_ends(tmp_path: Path) -> None:
    with subprocess.Popen(FAMILY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as family:
        assert family.stdin is not None
        assert family.stdout is not None
        assert family.stdout.readline() == "worked\n"

        def end_descendants() -> None:
            assert family.stdin is not None
            assert family.stdout is not None
            family.stdin.write("x")
            family.stdin.flush()
            assert family.stdout.readline() == "reaped\n"
            # Counters move in whole ticks: over a few milliseconds, one tick would be more than a core.
            time.sleep(WORK_S / 2)

        now = observe_activity(tmp_path, wait=end_descendants)
        times = {pid: each for (pid, _), each in read_processes(KernelFiles()).items()}[family.pid]
        family.kill()
    # The whole work was handed to a process that is idle itself, in less time than the work took.
    assert times.reaped_ticks >= WORK_S * TICKS_PER_S - 2
    assert now.others_cores is not None
    assert sum(each.cores for each in now.busiest) <= len(list_cores()) * 1.05


@pytest.mark.skipif(sys.platform != "linux", reason="processes are read from Linux's /proc")
def test_a_process_that_keeps_every_core_busy_has_no_more_than_they_have(tmp_path: Path) -> None:
    cores = len(list_cores())
    spin = "import sys, threading\nfor _ in range(int(sys.argv[1])): threading.Thread(target=f).start()"
    program = f"import hashlib\ndef f():\n    while True: hashlib.pbkdf2_hmac('sha256', b'x', b'y', 10**6)\n{spin}"
    with subprocess.Popen([sys.executable, "-c", program, str(cores)]) as hog:
        time.sleep(0.5)
        now = observe_activity(tmp_path)
        hog.kill()
    # Every counter of a core and of a process is cut to whole ticks.
    assert 0 < now.busiest[0].cores <= cores * 1.05


def watch(root: Path, meanwhile: Texts | None = None) -> Activity:
    """Observe a machine while these of its files change."""

    def wait() -> None:
        write(root, meanwhile or {})

    return activity.observe_activity(root, root, wait)


def process(
    name: str, ticks: int, *, started: int = 5, pid: int = 7, parent: int = 1, reaped: int = 0
) -> dict[str, str | None]:
    """Make a process with this CPU time, half of it in the kernel, and a secret among its arguments."""
    times = (ticks - ticks // 2, ticks // 2, reaped - reaped // 2, reaped // 2)
    fields = ("S", parent, *"0" * 9, *times, *"0" * 4, started, 0)
    return {
        f"proc/{pid}/stat": f"{pid} ({name}) {' '.join(map(str, fields))}\n",
        f"proc/{pid}/cmdline": "x --token=secret",
    }


def test_a_quiet_machine_is_seen_to_be_quiet(build: Build) -> None:
    now = watch(build(), {"proc/stat": STAT.format(100, 1100, 7, 2100)})
    assert (now.load, now.others_cores, now.busiest, now.steal_share) == (0.31, 0.0, (), 0.0)
    assert (now.pressure_share, now.swapped_pages, now.on_battery) == (0.0, 0, None)
    assert (now.throttled, now.throttled_before, now.overheated, now.overheated_before) == (0, 7, 0, 4)
    assert now.memory_available_bytes == 8 << 30
    assert (now.delay_counted, now.peak_resettable) == (True, True)


def test_what_others_use_is_all_that_is_used_less_our_own(build: Build) -> None:
    root = build(process("python", 100, pid=os.getpid()))
    later = {"proc/stat": STAT.format(190, 1010, 7, 2100)} | process("python", 120, pid=os.getpid())
    now = watch(root, later)
    assert now.others_cores == pytest.approx(0.7)
    assert now.busiest == ()


def test_time_in_the_kernel_and_in_interrupts_is_used_and_waiting_for_a_disk_is_not(build: Build) -> None:
    #        user nice system idle iowait irq softirq steal
    root = build({"proc/stat": "cpu0 0 0 0 0 0 0 0 0 0 0\n"})
    now = watch(root, {"proc/stat": "cpu0 10 20 5 30 22 4 6 3 10 0\n"})
    assert now.others_cores == pytest.approx(0.45)
    assert now.steal_share == pytest.approx(0.03)


def test_only_cores_that_can_be_used_count(build: Build) -> None:
    root = build({"proc/self/status": "Cpus_allowed_list: 1\n"})
    assert watch(root, {"proc/stat": STAT.format(200, 1000, 7, 2100)}).others_cores == 0


def test_the_busiest_processes_are_named_and_their_arguments_are_not(build: Build) -> None:
    ticks = {"a) R (b": 30, "cc1plus": 90, "idle": 0, "c": 1, "d": 2}
    before = [process(name, 1000, pid=pid) for pid, name in enumerate(ticks, 40)]
    after = [process(name, 1000 + gone, pid=pid) for pid, (name, gone) in enumerate(ticks.items(), 40)]
    now = watch(build(ChainMap(*before)), {"proc/stat": STAT.format(190, 1010, 7, 2100)} | ChainMap(*after))
    assert now.busiest == (BusyProcess("cc1plus", 41, 0.9), BusyProcess("a) R (b", 40, 0.3), BusyProcess("d", 44, 0.02))
    assert "secret" not in repr(now)


def test_a_process_that_started_meanwhile_has_used_all_its_time_since(build: Build) -> None:
    later = {"proc/stat": STAT.format(190, 1010, 7, 2100)} | process("new", 40, started=99)
    assert watch(build(process("old", 500)), later).busiest == (BusyProcess("new", 7, 0.4),)


def test_short_lived_processes_are_found_by_what_their_parent_has_reaped(build: Build) -> None:
    root = build(process("make", 10, pid=7, reaped=100) | process("cc1", 30, pid=8, parent=7))
    later = {"proc/stat": STAT.format(190, 1010, 7, 2100), "proc/8/stat": None}
    assert watch(root, later | process("make", 10, pid=7, reaped=200)).busiest == (BusyProcess("make", 7, 0.7),)


def test_what_the_hypervisor_takes_is_a_share_of_all_cores(build: Build) -> None:
    assert watch(build(), {"proc/stat": STAT.format(100, 1090, 17, 2100)}).steal_share == pytest.approx(0.05)


def test_counters_tell_what_happened_meanwhile(build: Build) -> None:
    second = activity.TICKS_PER_S
    later = {
        "proc/stat": STAT.format(100, 1000 + second, 7, 2000 + second),
        "proc/pressure/cpu": "some avg10=0 total=1250000\n",
        "proc/vmstat": "pswpin 11\npswpout 24\n",
        "sys/fs/cgroup/user/me/cpu.stat": "nr_throttled 9\n",
        f"{CPUS}/cpu1/thermal_throttle/core_throttle_count": "8",
    }
    now = watch(build(), later)
    assert now.pressure_share == pytest.approx(0.25)
    assert (now.swapped_pages, now.throttled, now.overheated) == (5, 5, 6)


def test_no_time_passed_is_no_share_of_anything(build: Build) -> None:
    now = watch(build())
    assert (now.others_cores, now.steal_share, now.pressure_share) == (None, None, None)


@pytest.mark.parametrize(
    ("files", "answer"),
    [
        ({"BAT0/type": "Battery", "BAT0/status": "Discharging"}, True),
        ({"BAT0/type": "Battery", "BAT0/status": "Discharging", "AC/type": "Mains", "AC/online": "0"}, True),
        ({"BAT0/type": "Battery", "BAT0/status": "Discharging", "AC/type": "Mains", "AC/online": "1"}, False),
        ({"BAT0/type": "Battery", "BAT0/status": "Full"}, False),
        ({"mouse/type": "Battery", "mouse/status": "Discharging", "mouse/scope": "Device"}, False),
        ({"AC/type": "Mains", "AC/online": "1"}, False),
    ],
)
def test_a_battery_counts_if_it_feeds_the_machine(build: Build, files: dict[str, str], answer: bool) -> None:
    assert watch(build({f"{POWER}/{name}": text for name, text in files.items()})).on_battery is answer


@pytest.mark.parametrize("schedstat", ["0 0 0\n", "", None])
def test_a_kernel_that_does_not_count_waiting_is_found_out(build: Build, schedstat: str | None) -> None:
    assert not watch(build({"proc/self/schedstat": schedstat})).delay_counted


def test_a_kernel_that_cannot_set_peaks_back_is_found_out_and_nothing_is_written(build: Build) -> None:
    root = build({"proc/self/clear_refs": None})
    assert not watch(root).peak_resettable
    assert not (root / "proc/self/clear_refs").exists()
    write(root, {"proc/self/clear_refs": "", "proc/self/status": "VmRSS: 5 kB\n"})
    assert not watch(root).peak_resettable


def clock_of(times: list[int]) -> Callable[[], int]:
    readings: Iterator[int] = iter(times)
    return lambda: next(readings)


def test_a_clock_costs_what_its_fastest_batch_costs_and_steps_as_finely_as_it_was_seen_to() -> None:
    slow, fast = [0, 300, 600, 1200], [2000, 2000, 2100, 2150]
    assert activity.measure_clock(clock_of(slow + fast), batches=2, readings=4) == ClockQuality(cost_ns=50, step_ns=50)


def test_a_clock_that_does_not_move_has_no_step() -> None:
    assert activity.measure_clock(clock_of([5] * 4), batches=1, readings=4) == ClockQuality(cost_ns=0, step_ns=None)


def test_a_folder_for_runs_is_tried_and_neither_made_nor_left_littered(tmp_path: Path) -> None:
    kept = activity.check_storage(tmp_path / "not" / "yet")
    assert kept.refusal == ""
    assert kept.free_bytes
    assert list(tmp_path.iterdir()) == []


def test_runs_that_cannot_be_written_have_the_reason_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert activity.check_storage(tmp_path / "file") == Storage(None, "Not a directory")


def test_a_machine_that_shows_nothing_can_be_watched(tmp_path: Path) -> None:
    now = watch(tmp_path / "nothing")
    assert (now.load, now.others_cores, now.throttled, now.memory_available_bytes) == (None,) * 4
    assert (now.on_battery, now.delay_counted, now.peak_resettable) == (None, False, False)


def test_this_machine_can_be_watched(tmp_path: Path) -> None:
    now = activity.observe_activity(tmp_path, wait=lambda: None)
    assert now.storage.refusal == ""
    assert now.clock.cost_ns > 0


def test_the_use_of_each_core_is_told_stolen_time_included_and_that_of_cores_which_are_not_usable(build: Build) -> None:
    root = build({"proc/self/status": "Cpus_allowed_list: 1\n"})
    now = watch(root, {"proc/stat": STAT.format(140, 1050, 17, 2100)})
    assert now.core_use == {0: pytest.approx(0.5), 1: 0.0}


def test_without_time_or_without_counters_no_use_of_cores_is_known(build: Build) -> None:
    assert watch(build()).core_use == {}
    assert watch(build({"proc/stat": None})).core_use == {}
