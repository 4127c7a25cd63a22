"""Cgroups: the kernel's where this process may make some, and version 2 as files."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from orchestrator.execution import classify, supervisor
from orchestrator.execution.supervisor import Ending
from orchestrator.machine.kernel_files import KernelFiles
from orchestrator.processes import watchdog
from orchestrator.processes.cgroup import TASKS_PER_PROCESS, CgroupManager, CgroupUsage
from orchestrator.processes.descendants import PROCESS_MARK
from orchestrator.processes.process import start_process
from orchestrator.report.job.facts import describe_ending
from schemas.job import JobSpec
from schemas.limits import Limits
from schemas.record import JobRecord

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups are the Linux kernel's")

DOUBLES = Path(__file__).resolve().parents[2] / "doubles"
SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
MINE = "sys/fs/cgroup/mine"
OTHER = "0123456789abcdef" * 2


def can_limit() -> bool:
    """Return whether this process may make cgroups that limit memory and processes."""
    with CgroupManager(OTHER).make_job_cgroup(Limits(memory=1 << 30)) as leaf:
        return leaf.limits_memory and "pids" in leaf.folders


needs_groups = pytest.mark.skipif(not can_limit(), reason="no control group can be made here")


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """Check that no test leaves a cgroup of this program."""
    yield
    assert [*Path(watchdog.CGROUP_ROOT).glob(f"**/{watchdog.NAME_PREFIX}{PROCESS_MARK}*")] == []


def run(folder: Path, double: str, *arguments: str, deadline_s: float = 60, **limits: object) -> Ending:
    command = [sys.executable, "-I", "-S", str(DOUBLES / f"{double}.py"), *arguments]
    return supervisor.run(
        partial(start_process, command, dict(os.environ)),
        b"",
        folder / "log",
        deadline_s=deadline_s,
        on_event=lambda _: None,
        limits=Limits.model_validate(limits),
    )


@needs_groups
def test_shared_memory_beyond_the_limit_is_out_of_memory_for_sure(
    tmp_path: Path, make_spec: Callable[..., JobSpec]
) -> None:
    ending = run(tmp_path, "shares", memory="64MiB")
    assert (ending.status, ending.memory, ending.oom) == (-9, "job", "sure")
    assert ending.group.kills is not None
    assert ending.group.kills > 0
    assert ending.group.peak_bytes is not None
    assert 48 << 20 < ending.group.peak_bytes <= 64 << 20
    found = classify.classify_ending(make_spec(limits=Limits(memory=64 << 20)), ending)
    assert (found.outcome, found.reason) == (
        "out-of-memory",
        "the kernel killed one of its processes because memory ran out during first call, under the limit of 64 MiB",
    )


@needs_groups
def test_a_helper_that_the_kernel_ends_takes_its_job_with_it_before_the_deadline(tmp_path: Path) -> None:
    ending = run(tmp_path, "shares", "helper", memory="64MiB")
    assert ending.wall_ns < 30e9
    assert (ending.status, ending.group.kills and ending.group.kills > 0) == (-9, True)


@needs_groups
def test_memory_is_limited_for_all_processes_of_a_job_together(tmp_path: Path) -> None:
    ending = run(
        tmp_path, "leaks", memory="600MiB"
    )  # the data limit, which a gibibyte exceeds too, is an error that the worker can report
    assert ending.events[-1].kind == "failure"
    assert ending.group.kills == 0


@needs_groups
@pytest.mark.timeout(60)
def test_a_fork_bomb_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    ending = run(tmp_path, "bombs", processes=8)
    assert ending.how == "limit"
    assert (
        ending.reason
        == f"it tried to start more than the {8 * TASKS_PER_PROCESS} processes and threads allowed at once"
    )
    assert ending.wall_ns < 20e9
    assert psutil.Process().children(recursive=True) == []


@needs_groups
def test_a_job_that_keeps_to_its_limits_is_told_what_it_used_and_nothing_else(tmp_path: Path) -> None:
    ending = run(tmp_path, "polite", memory="1GiB")
    assert ending.how == "garbled"  # its message is empty, so its last line is no valid event
    assert (ending.memory, ending.group.kills, ending.group.refusals) == ("job", 0, 0)


@pytest.mark.long
@needs_groups
def test_a_daemon_that_hides_from_all_is_ended_when_the_orchestrator_is_killed(
    tmp_path: Path, soon: Callable[[Callable[[], bool]], bool]
) -> None:
    command = [sys.executable, str(DOUBLES / "guarded.py"), str(tmp_path), "bare"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        left = int(parent.stdout.readline())
        assert psutil.Process(left).environ() == {}
        parent.kill()
    assert soon(lambda: not psutil.pid_exists(left))
    assert soon(lambda: not [*Path(watchdog.CGROUP_ROOT).glob(f"**/{watchdog.NAME_PREFIX}*-{parent.pid}-*")])


@needs_groups
def test_what_an_orchestrator_left_whose_watchdog_was_killed_too_is_ended_by_the_next_one() -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    folder = Path(
        f"/{CgroupManager(PROCESS_MARK).find_parent('pids')[1]}/{watchdog.NAME_PREFIX}{OTHER}-{int(gone.stdout)}-1"
    )
    folder.mkdir()
    with (
        subprocess.Popen(SLEEP) as orphan,
        subprocess.Popen(SLEEP) as innocent,
        CgroupManager(OTHER).make_job_cgroup(Limits()) as living,
    ):
        living.add_process(innocent.pid)
        assert watchdog.write_kernel_file(f"{folder}/cgroup.procs", str(orphan.pid))
        CgroupManager(PROCESS_MARK).remove_stale()
        assert orphan.wait() == -9
        assert innocent.poll() is None
        assert not folder.exists()
        living.kill_processes()


@needs_groups
def test_the_mark_finds_a_group_and_what_is_in_it_wherever_it_is() -> None:
    with subprocess.Popen(SLEEP, env={}) as left, CgroupManager(OTHER).make_job_cgroup(Limits()) as leaf:
        leaf.add_process(left.pid)
        watchdog.end_cgroups("f" * 32)
        assert left.poll() is None
        watchdog.end_cgroups(OTHER)
        assert left.wait() == -9
        assert not any(Path("/", folder).exists() for folder in leaf.folders.values())


@pytest.mark.skipif(
    CgroupManager(OTHER).find_parent("memory")[0] != "v2", reason="only version 2 forbids what is tried here"
)
@pytest.mark.parametrize("ends", ["in order", "killed"])
def test_one_that_is_alone_in_its_group_steps_down_and_back(
    tmp_path: Path, soon: Callable[[Callable[[], bool]], bool], ends: str
) -> None:
    own = Path(f"/{CgroupManager(OTHER).find_parent('memory')[1]}/alone")
    own.mkdir()
    enter = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(own)]
    program = [sys.executable, str(DOUBLES / "guarded.py"), str(tmp_path), "bare"]
    with subprocess.Popen([*enter, *program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        left = int(parent.stdout.readline())
        assert (own / "cgroup.procs").read_text() == ""
        assert {*(own / "cgroup.subtree_control").read_text().split()} == {"memory", "pids"}
        (leaf,) = own.glob("plumbline-*-*")
        assert str(left) in (leaf / "cgroup.procs").read_text().split()
        if ends == "killed":
            parent.kill()
        else:
            (worker,) = (pid for pid in watchdog.list_members(str(leaf)) if pid != left)
            os.kill(worker, signal.SIGKILL)
    assert soon(lambda: not psutil.pid_exists(left))
    assert soon(lambda: not [*own.glob("plumbline-*")])
    assert (own / "cgroup.subtree_control").read_text().strip() == ""
    own.rmdir()


def make_kernel_folder(folder: str) -> None:
    """Make a cgroup with its files, as the kernel does."""
    os.mkdir(folder)  # noqa: PTH102 (as it is called)
    for name, text in {
        "cgroup.procs": "",
        "cgroup.kill": "",
        "cgroup.subtree_control": "",
        "cgroup.controllers": "memory pids",
        "memory.max": "max",
        "memory.swap.max": "max",
        "memory.oom.group": "0",
        "memory.peak": "0",
        "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0",
        "pids.max": "max",
        "pids.events": "max 0",
    }.items():
        Path(folder, name).write_text(f"{text}\n")


@pytest.fixture
def process() -> Iterator[int]:
    """Start a process that a test may move or kill."""
    with subprocess.Popen(SLEEP) as made:
        yield made.pid
        made.kill()


@pytest.fixture
def unified(tmp_path: Path) -> Path:
    """Make a machine with version 2, where this process is in a cgroup that delegates its controllers."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/mine\n")
    (tmp_path / "sys/fs").mkdir(parents=True)
    make_kernel_folder(str(tmp_path / "sys/fs/cgroup"))
    make_kernel_folder(str(tmp_path / MINE))
    (tmp_path / MINE / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    (tmp_path / MINE / "cgroup.subtree_control").write_text("cpu memory pids\n")
    return tmp_path


def read_files(machine: Path, folder: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in (machine / folder).iterdir() if path.is_file()}


def test_in_version_2_a_job_has_one_group_with_all_its_limits(unified: Path, process: int) -> None:
    with CgroupManager(OTHER, KernelFiles(unified), make_kernel_folder).make_job_cgroup(
        Limits(memory=1 << 30, processes=20)
    ) as leaf:
        leaf.add_process(process)
        (folder,) = {*leaf.folders.values()}
        assert Path(folder).match(f"{MINE}/plumbline-{OTHER}-{os.getpid()}-*")
        files = read_files(unified, folder)
        (unified / folder / "cgroup.procs").write_text("")
    for name, text in {
        "memory.max": "1073741824",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "160",
        "cgroup.procs": str(process),
    }.items():
        assert files[name].startswith(text), name
    assert leaf.limits_memory


def test_in_version_2_without_a_limit_of_memory_there_is_none(unified: Path) -> None:
    with CgroupManager(OTHER, KernelFiles(unified), make_kernel_folder).make_job_cgroup(Limits()) as leaf:
        files = read_files(unified, leaf.folders["memory"])
    assert (files["memory.max"], files["memory.swap.max"], leaf.limits_memory) == ("max\n", "max\n", False)
    assert files["memory.oom.group"].startswith("1")


def test_in_version_2_the_groups_counters_are_read(unified: Path, process: int) -> None:
    with CgroupManager(OTHER, KernelFiles(unified), make_kernel_folder).make_job_cgroup(Limits()) as leaf:
        leaf.add_process(process)
        folder = unified / leaf.folders["memory"]
        (folder / "cgroup.procs").write_text("")
        (folder / "memory.peak").write_text("123456\n")
        (folder / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 3\noom_group_kill 1\n")
        (folder / "pids.events").write_text("max 5\n")
        assert leaf.read_usage() == CgroupUsage("v2", peak_bytes=123456, kills=3, refusals=5)
        (folder / "memory.peak").unlink()  # a kernel before 5.19
        assert leaf.read_usage().peak_bytes is None


@pytest.mark.parametrize("handed_on", ["", "cpu io", "memory"])
def test_a_group_that_does_not_hand_on_a_controller_bounds_nothing_by_it(unified: Path, handed_on: str) -> None:
    (unified / MINE / "cgroup.subtree_control").write_text(handed_on)
    with CgroupManager(OTHER, KernelFiles(unified), make_kernel_folder).make_job_cgroup(Limits(memory=1 << 30)) as leaf:
        assert [*leaf.folders] == handed_on.split() if handed_on == "memory" else leaf.folders == {}
        assert leaf.read_usage().refusals is None


def test_a_group_of_somebody_else_is_not_used(unified: Path) -> None:
    (unified / MINE / "cgroup.procs").write_text("1\n")
    with CgroupManager(OTHER, KernelFiles(unified), make_kernel_folder).make_job_cgroup(Limits(memory=1 << 30)) as leaf:
        assert leaf.folders == {}
    with CgroupManager(OTHER, KernelFiles(unified), make_kernel_folder).delegate_controllers():
        assert not [*unified.glob(f"{MINE}/plumbline-*")]


def test_without_groups_nothing_is_bounded_and_nothing_counted(tmp_path: Path, process: int) -> None:
    with CgroupManager(OTHER, KernelFiles(tmp_path)).make_job_cgroup(Limits(memory=1 << 30)) as leaf:
        leaf.add_process(process)
        leaf.kill_processes()
        assert (leaf.limits_memory, leaf.read_usage()) == (False, CgroupUsage())
    CgroupManager(OTHER, KernelFiles(tmp_path)).remove_stale()


def test_a_process_that_cannot_be_moved_leaves_a_job_without_a_group(unified: Path, process: int) -> None:
    def read_only(folder: str) -> None:
        make_kernel_folder(folder)
        Path(folder, "cgroup.procs").unlink()

    with CgroupManager(OTHER, KernelFiles(unified), read_only).make_job_cgroup(Limits(memory=1 << 30)) as leaf:
        assert leaf.limits_memory
        leaf.add_process(process)
        assert (leaf.limits_memory, leaf.read_usage()) == (False, CgroupUsage())


def test_the_record_keeps_what_a_group_counted_and_its_story_tells_it(
    make_record: Callable[..., JobRecord], make_spec: Callable[..., JobSpec]
) -> None:
    ending = Ending("limit", -9, (), 1, memory="job", group=CgroupUsage("v2", peak_bytes=64 << 20, kills=1, refusals=0))
    spec = make_spec(limits=Limits(memory=64 << 20))
    record = make_record(spec=spec, outside=classify.outside_from_ending(ending, "now", 0.1), outcome="out-of-memory")
    assert JobRecord.model_validate_json(record.model_dump_json()) == record
    told = dict(describe_ending(record))
    assert told["memory limit"] == "64.0 MiB for the job as a whole and each of its processes"
    assert told["cgroup"] == (
        "v2, at most 64.0 MiB with the files that it read first, 1 out-of-memory kills, "
        "0 process or thread starts refused"
    )


def test_a_record_of_a_job_without_a_group_tells_of_none(make_record: Callable[..., JobRecord]) -> None:
    assert not {"memory limit", "cgroup"} & {*dict(describe_ending(make_record()))}


def test_nobody_is_killed_who_cannot_be_seen_from_here(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("0\n0\n")
    assert watchdog.kill_members(str(tmp_path))


def test_no_file_is_made_where_the_kernel_has_none(tmp_path: Path) -> None:
    assert not watchdog.write_kernel_file(str(tmp_path / "cgroup.kill"), "1")
    assert [*tmp_path.iterdir()] == []
