import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.machine.activity import (
    TICKS_PER_S,
    ProcessTimes,
    find_busy_processes,
    observe_activity,
    read_processes,
)
from orchestrator.machine.affinity import list_cores
from orchestrator.machine.kernel_files import KernelFiles

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
