"""No orphans: the descendants of a job end with it, and with this program."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from orchestrator.execution import supervisor
from orchestrator.execution.supervisor import Ending
from orchestrator.processes import descendants, watchdog
from orchestrator.processes.process import start_process
from schemas.event import Failure

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are found with the Linux kernel's help")

DOUBLES = Path(__file__).resolve().parents[2] / "doubles"
SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]


def run(folder: Path, *arguments: str, deadline_s: float = 60) -> Ending:
    command = [sys.executable, "-I", "-S", str(DOUBLES / "daemon.py"), *arguments]
    return supervisor.run(
        partial(start_process, command, {}), b"", folder / "log", deadline_s=deadline_s, on_event=lambda _: None
    )


def daemon_pid(ending: Ending) -> int:
    last = ending.events[-1]
    assert isinstance(last, Failure)
    return int(last.reason)


@pytest.mark.parametrize("arguments", [(), ("bare",)])
def test_a_daemon_does_not_outlive_a_job_that_ends_well(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert not psutil.pid_exists(daemon_pid(run(tmp_path, *arguments)))


def test_a_daemon_does_not_outlive_a_job_that_is_ended(tmp_path: Path) -> None:
    ending = run(tmp_path, "wait", "bare", deadline_s=1)
    assert ending.how == "timeout"
    assert not psutil.pid_exists(daemon_pid(ending))


def test_no_zombie_is_left_and_children_that_were_there_before_are_let_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEP) as before:
        run(tmp_path)
        assert [child.pid for child in psutil.Process().children(recursive=True)] == [before.pid]
        assert before.poll() is None
        before.kill()


def test_of_two_jobs_at_once_the_first_to_end_does_not_end_the_other() -> None:
    with (
        descendants.adopt_orphans() as first,
        descendants.adopt_orphans() as second,
        subprocess.Popen(SLEEP) as running,
    ):
        second.kill_all()
        first.kill_all()
        assert running.poll() is None
        running.kill()
    with descendants.adopt_orphans() as only, subprocess.Popen(SLEEP) as running:
        only.kill_all()
        assert running.poll() is not None


def test_a_killed_orchestrator_leaves_no_daemon(tmp_path: Path, soon: Callable[[Callable[[], bool]], bool]) -> None:
    command = [sys.executable, str(DOUBLES / "guarded.py"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        left = int(parent.stdout.readline())
        there = psutil.pid_exists(left)
        others = psutil.Process(parent.pid).children(recursive=True)
        parent.kill()
    assert there
    assert len(others) >= 2
    assert soon(lambda: not any(process.is_running() for process in others) and not psutil.pid_exists(left))


def test_what_both_killed_processes_left_is_found_by_the_mark_in_the_lock(
    soon: Callable[[Callable[[], bool]], bool],
) -> None:
    mark = "0123456789abcdef" * 2
    with subprocess.Popen(SLEEP, env={watchdog.MARK_VARIABLE: mark}) as left:
        assert soon(lambda: watchdog.find_marked(mark) == [left.pid])
        descendants.end_leftovers(f"4711 {mark}")
        assert left.wait() == -signal.SIGKILL


def test_what_an_orchestrator_has_at_work_is_not_ended_for_a_copy_of_its_run(tmp_path: Path) -> None:
    mark = "fedcba9876543210" * 2
    named = tmp_path / "orchestrator"
    named.write_text("import time; time.sleep(60)")
    with (
        subprocess.Popen([sys.executable, "-I", "-S", str(named)]) as alive,
        subprocess.Popen(SLEEP, env={watchdog.MARK_VARIABLE: mark}) as worker,
    ):
        descendants.end_leftovers(f"{alive.pid} {mark}")
        assert worker.poll() is None
        alive.kill()
        alive.wait()
        descendants.end_leftovers(f"{alive.pid} {mark}")
        assert worker.wait() == -signal.SIGKILL


@pytest.mark.parametrize("said", ["", "4711", "4711 ", "4711 x", "\x00", "4711 " + "0" * 31])
def test_a_lock_without_a_mark_ends_nobody(said: str) -> None:
    with subprocess.Popen(SLEEP, env={watchdog.MARK_VARIABLE: ""}) as innocent:
        descendants.end_leftovers(said)
        assert innocent.poll() is None
        innocent.kill()


def test_a_watchdog_is_gone_once_it_is_not_needed() -> None:
    with descendants.guard_descendants():
        (dog,) = psutil.Process().children()
        assert dog.cmdline()[-2:] == [watchdog.__file__, tempfile.gettempdir()]
    assert psutil.Process().children() == []


def test_a_killed_watchdog_harms_nobody() -> None:
    with descendants.guard_descendants():
        (dog,) = psutil.Process().children()
        dog.kill()
        dog.wait()
    assert psutil.Process().children() == []


def test_a_watchdog_holds_no_terminal_and_no_pipe_of_its_parent() -> None:
    with descendants.guard_descendants():
        (dog,) = psutil.Process().children()
        assert {str(Path(f"/proc/{dog.pid}/fd/{number}").readlink()) for number in (1, 2)} == {os.devnull}
        assert os.getsid(dog.pid) == dog.pid


def test_a_killed_orchestrators_temporary_folders_are_removed_with_what_is_in_them(tmp_path: Path) -> None:
    mark = "0123456789abcdef" * 2
    secret = tmp_path / "secret"
    secret.touch()
    mine, another = (tmp_path / f"{watchdog.folder_prefix(each)}x" for each in (mark, "f" * 32))
    for folder in (mine, another):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "link").symlink_to(tmp_path)
    watchdog.end_all(mark, str(tmp_path))
    assert not mine.exists()
    assert (another / "deep").is_dir()
    assert secret.exists()


def test_a_temporary_folder_is_found_by_the_mark() -> None:
    with descendants.make_temporary_folder() as made:
        assert made.name.startswith(watchdog.folder_prefix(descendants.PROCESS_MARK))
        watchdog.remove_folders(descendants.PROCESS_MARK, str(made.parent))
        assert not made.exists()


def test_the_next_orchestrator_removes_temporary_folders_whose_maker_is_gone_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "kept").touch()
    abandoned = tmp_path / f"{watchdog.folder_prefix('0' * 32)}x"
    (abandoned / "deep").mkdir(parents=True)
    (abandoned / "deep" / "link").symlink_to(secret)
    others = [tmp_path / name for name in ("plumbline-tests-x", "plumbline-x", f"plumbline-{'0' * 11}-x")]
    for other in others:
        other.mkdir()
    link = tmp_path / f"{watchdog.folder_prefix('1' * 32)}x"
    link.symlink_to(secret)
    with descendants.make_temporary_folder() as in_use, descendants.guard_descendants():
        assert sorted(tmp_path.iterdir()) == sorted([*others, secret, link, in_use])
    assert (secret / "kept").exists()
