"""The kernel counts the memory of a process and all its descendants, and it is read outside every timed region."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from workers.measurement import kernel_files, memory, stopwatch

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported

MIB = 1 << 20
ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="this kernel has no high-water mark")

HOLD = """
import json, subprocess, sys, time
from workers.measurement import memory
size, helpers = int(sys.argv[1]), int(sys.argv[2])
holding = "import sys; kept = b'x' * {}; print('holding', flush=True); sys.stdin.read()"
empty = subprocess.Popen([sys.executable, "-c", holding.format(1)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
empty.stdout.readline()
empty.stdin.close(), empty.wait()
marks, started = memory.HighWaterMarks(), []
for _ in range(helpers):
    program = [sys.executable, "-c", holding.format(size)]
    helper = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    helper.stdout.readline()
    started.append(helper)
held = b"x" * size
time.sleep(0.025)
del held
found = marks.read()
for helper in started:
    helper.stdin.close(), helper.wait()
print(json.dumps(found.model_dump()))
"""

TRAINING = """
import json, sys
from workers.measurement import memory
framework, numbers = sys.argv[1], 1 << 24
if framework == "torch":
    import torch
    torch.set_num_threads(1)
    w, x, v = (torch.full((numbers,), value) for value in (1.0, 2.0, 3.0))
else:
    import tensorflow as tf
    w, x, v = (tf.fill((numbers,), value) for value in (1.0, 2.0, 3.0))

def step(number):
    y = w * x
    gradient = y * x
    velocity = 0.9 * v + gradient
    return w - 0.1 * velocity, velocity, y

memory.trim_heap()
marks = memory.HighWaterMarks()
found = memory.measure_steps(step, marks)
print(json.dumps({"base": marks.start, "steps": [each.model_dump() for each in found.steps]}))
"""

# At the step's last subtraction: y, gradient, velocity, 0.1 * velocity and the result; names keep the first three.
AT_ONCE = 5


def run(program: str, *arguments: object) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def large_parent() -> bytes:
    """Make this process, the parent of the measured ones, larger than a gibibyte."""
    return b"x" * (1 << 30)


@pytest.mark.parametrize("mib", [1, 16, 128, 1024])
def test_a_short_peak_is_seen_whole_whatever_the_parent_holds(mib: int, large_parent: bytes) -> None:
    found = run(HOLD, mib * MIB, 0)
    assert found["peak"] - found["start"] == pytest.approx(mib * MIB, abs=max(MIB // 2, mib * MIB // 100))
    assert found["end"] - found["start"] < MIB


@pytest.mark.parametrize("mib", [16, 256])
def test_what_a_helper_process_holds_counts_like_the_workers_own(mib: int, large_parent: bytes) -> None:
    without, found = run(HOLD, 1, 1), run(HOLD, mib * MIB, 1)
    interpreter = without["peak"] - without["start"]
    assert found["processes"] == 2
    grown = found["peak"] - found["start"] - interpreter
    assert grown == pytest.approx(2 * mib * MIB, abs=max(MIB, 2 * mib * MIB // 100))
    assert found["uss"] <= found["pss"] <= found["end"]


@pytest.mark.long
@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_the_peak_of_a_training_step_is_that_of_its_buffers(framework: str) -> None:
    pytest.importorskip(framework)
    found = run(TRAINING, framework)
    buffers = AT_ONCE * 4 * (1 << 24)
    assert len(found["steps"]) == memory.STEPS - 1
    for step in found["steps"]:
        assert step["peak"] - found["base"] == pytest.approx(buffers, rel=0.05)


def test_nothing_of_a_step_is_alive_when_the_next_begins() -> None:
    alive: list[int] = []

    class Result:
        def __init__(self) -> None:
            alive.append(1)

        def __del__(self) -> None:
            alive.pop()

    def call(number: int) -> tuple[int, Result]:
        assert not alive
        return number, Result()

    assert memory.measure_steps(call, memory.HighWaterMarks()) is not None


def test_no_memory_is_read_inside_a_timed_region(monkeypatch: pytest.MonkeyPatch) -> None:
    timing, read = [False], []
    plain = kernel_files.read_small_file

    def clock() -> int:
        timing[0] = not timing[0]
        return 0

    def text(path: Path) -> str:
        read.append(timing[0])
        return plain(path)

    monkeypatch.setattr(memory, "read_small_file", text)
    watch = stopwatch.Stopwatch(lambda: (), [()] * 4, lambda _: None, clock)
    watch.time_call(())
    memory.measure_steps(lambda _: watch.time_call(()), memory.HighWaterMarks())
    stopwatch.carry_out(watch.take_samples(3, 2))
    assert read
    assert not any(read)


def test_a_report_has_the_memory_of_every_phase_and_of_its_steps(ask: "Ask", reported: "Reported") -> None:
    held_mib = 64
    found = reported(ask("synthetic", "spin", "synthetic", {"spin_ns": 1000, "hold_mib": held_mib}))
    by_name = {cost.name: cost.memory for cost in found.phases}
    build, steady = by_name["build"], by_name["steady"]
    assert build is not None
    assert steady is not None
    assert build.end - build.start == pytest.approx(held_mib * MIB, abs=MIB)
    assert steady.start >= build.end - MIB
    marked = [cost.memory for cost in found.phases if cost.name != "ledger"]
    assert all(each is not None and each.peak >= max(each.start, each.end) - MIB for each in marked)
    assert found.memory is not None
    assert len(found.memory.steps) == memory.STEPS - 1


@pytest.mark.measures
def test_the_phases_add_up_to_the_life_of_the_worker(ask: "Ask", reported: "Reported") -> None:
    """Check that less than a fiftieth of its life is in no phase; a long job shows this even on a busy machine."""
    found = reported(ask("synthetic", "spin", "synthetic", {"spin_ns": 50_000_000}))
    assert found.age_ns is not None
    inside = sum(cost.wall_ns for cost in found.phases)
    assert 0.98 * found.age_ns <= inside <= found.age_ns + 20_000_000


def test_where_the_kernel_does_not_count_there_is_nothing_and_not_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PROC", tmp_path)
    marks = memory.HighWaterMarks()
    assert marks.read() is None
    assert memory.measure_steps(lambda number: number, marks) is None
    assert memory.read_since_start() is None
    assert memory.read_age_ns() is None


@pytest.mark.parametrize(("others", "peak"), [((), 12_345), ((1,), None)])
def test_a_control_groups_mark_counts_only_where_the_worker_has_it_to_itself(
    others: tuple[int, ...], peak: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = memory.list_process_tree()
    process = tmp_path / "proc" / "self"
    group = tmp_path / "groups" / "leaf"
    process.mkdir(parents=True)
    group.mkdir(parents=True)
    (process / "cgroup").write_text("0::/leaf\n")
    (group / "cgroup.procs").write_text("\n".join(map(str, own + others)))
    (group / "memory.peak").write_text("12345\n")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "list_process_tree", lambda: own)
    assert memory.read_cgroup_peak() == peak
    (group / "memory.peak").unlink()
    assert memory.read_cgroup_peak() is None


class Kernel:
    """A kernel whose processes a test makes up, each with its children and its sizes in KiB."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, pid: int, *children: int, rss: int = 0, peak: int = 0, pss: int = 0, private: int = 0) -> None:
        own = self.root / str(pid)
        (own / "task" / str(pid)).mkdir(parents=True)
        (own / "task" / str(pid) / "children").write_text(" ".join(map(str, children)))
        (own / "status").write_text(f"Name:\tpython\nVmHWM:\t{peak} kB\nVmRSS:\t{rss} kB\nThreads:\t1\n")
        (own / "smaps_rollup").write_text(f"Pss: {pss} kB\nPrivate_Clean: 1 kB\nPrivate_Dirty: {private} kB\n")
        (own / "clear_refs").write_text("")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setattr(memory, "PROC", tmp_path)
    return Kernel(tmp_path)


def test_the_sizes_of_a_process_and_all_its_descendants_are_added_up(kernel: Kernel) -> None:
    kernel.add(os.getpid(), 11, 12, rss=100, peak=150)
    kernel.add(11, 13, rss=10, peak=20)
    kernel.add(12, rss=1, peak=2)
    kernel.add(13, rss=1000, peak=3000)
    kernel.add(99, rss=10**6, peak=10**6)
    assert memory.list_process_tree() == (os.getpid(), 11, 13, 12)
    assert memory.read_resident_bytes() == 1111 * 1024
    assert memory.read_peak_bytes() == 3172 * 1024


def test_a_process_that_has_ended_meanwhile_adds_nothing(kernel: Kernel) -> None:
    kernel.add(os.getpid(), 11, rss=100)
    assert memory.list_process_tree() == (os.getpid(), 11)
    assert memory.read_resident_bytes() == 100 * 1024


def test_the_mark_of_every_process_is_set_back_at_the_beginning(kernel: Kernel) -> None:
    kernel.add(os.getpid(), 11, rss=100, peak=100)
    kernel.add(11, rss=10, peak=10)
    memory.HighWaterMarks()
    assert [(kernel.root / str(pid) / "clear_refs").read_text() for pid in (os.getpid(), 11)] == ["5", "5"]


def test_a_mark_that_was_renewed_keeps_the_highest_before(kernel: Kernel) -> None:
    kernel.add(os.getpid(), rss=100, peak=900)
    marks = memory.HighWaterMarks()
    assert marks.renew_marks() == 100 * 1024
    (kernel.root / str(os.getpid()) / "status").write_text("VmHWM: 300 kB\nVmRSS: 200 kB\n")
    found = marks.read()
    assert found is not None
    assert (found.start, found.peak, found.end) == (100 * 1024, 900 * 1024, 200 * 1024)


@pytest.mark.parametrize(("read_at", "read"), [(0, True), (90, True), (96, False), (104, False), (200, True)])
def test_the_slow_parts_are_read_only_where_memory_has_changed(kernel: Kernel, read_at: int, read: bool) -> None:
    kernel.add(os.getpid(), rss=100, peak=100, pss=60, private=40)
    found = memory.HighWaterMarks().read(read_at * 1024)
    assert found is not None
    assert (found.pss, found.uss) == ((60 * 1024, 41 * 1024) if read else (None, None))


def test_a_line_that_is_no_size_is_left_out(kernel: Kernel) -> None:
    kernel.add(os.getpid(), rss=7)
    (kernel.root / str(os.getpid()) / "status").write_text("VmRSS:\t7 kB\nVmHWM:\t9 MB\nodd\nThreads:\t4\n")
    assert memory.sum_sizes((os.getpid(),), "status") == {"VmRSS": 7 * 1024}


def test_the_age_of_a_process_is_read_behind_a_command_with_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PROC", tmp_path)
    ticks = time.clock_gettime_ns(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK") // 1_000_000_000
    (tmp_path / "self").mkdir()
    fields = ["S", *"0" * 18, str(ticks - 100)]
    (tmp_path / "self" / "stat").write_text(f"4711 (a ) b) {' '.join(fields)} 0 0\n")
    age = memory.read_age_ns()
    assert age is not None
    assert age >= 100 * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    (tmp_path / "self" / "stat").write_text("4711 (python) S 1 2\n")
    assert memory.read_age_ns() is None
