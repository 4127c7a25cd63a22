"""The kernel counts the memory of a process and all its descendants, and it is read outside every timed region."""

import json
import subprocess
import sys
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
