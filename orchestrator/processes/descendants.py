"""The descendants of a job: none of them outlives the job, nor this program.

A process can leave its process group with `setsid`, and its parent by forking twice. So while a job runs, the kernel
hands such orphans to this process, which ends all its new descendants afterwards. In case this process is killed, it
has a watchdog.
"""

import contextlib
import ctypes
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from orchestrator.files.lock import lock_new, remove_if_abandoned
from orchestrator.processes import watchdog
from orchestrator.processes.cgroup import CgroupManager

PR_SET_CHILD_SUBREAPER = 36
# Every worker of this process and its descendants carry the mark in their environment, and the cgroups and temporary
# folders of this process carry it in their names.
PROCESS_MARK = secrets.token_hex(16)

# Names of temporary folders of any orchestrator.
FOLDER_PATTERN = f"{watchdog.NAME_PREFIX}{'[0-9a-f]' * watchdog.FOLDER_MARK_LENGTH}-*"

ATTEMPTS = 1000
PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Descendants:
    """A job's processes: the descendants of this process that have started since."""

    before: frozenset[psutil.Process]

    def list_members(self) -> list[psutil.Process]:
        """Return the processes that exist now, including zombies."""
        return [process for process in psutil.Process().children(recursive=True) if process not in self.before]

    def kill_all(self) -> None:
        """Kill and reap until no process is left. With several jobs at once, the last to end does it for all.

        Give up after ten seconds: a process that waits in the kernel for a device cannot die.
        """
        # The descendants of this job include those of a later one, which must survive.
        if any(other is not self for other in RUNNING_JOBS):
            return
        for _ in range(ATTEMPTS):
            found = self.list_members()
            if not found:
                return
            for process in found:
                with contextlib.suppress(psutil.Error):
                    process.kill()
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)
            time.sleep(PAUSE_S)


# The jobs that run now: one, or two while the self-test disturbs one with another.
RUNNING_JOBS: list[Descendants] = []


@contextmanager
def adopt_orphans() -> Iterator[Descendants]:
    """Adopt descendants that lose their parents, so that this process can find them."""
    descendants = Descendants(frozenset(psutil.Process().children(recursive=True)))
    RUNNING_JOBS.append(descendants)
    # Before the job starts: an orphan of an earlier moment would go to process 1.
    set_subreaper(wanted=True)
    try:
        yield descendants
    finally:
        RUNNING_JOBS[:] = [each for each in RUNNING_JOBS if each is not descendants]
        set_subreaper(wanted=bool(RUNNING_JOBS))


def set_subreaper(*, wanted: bool) -> None:
    """Ask the kernel to hand orphans to this process, or to stop doing so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


@contextmanager
def guard_descendants() -> Iterator[None]:
    """Guard the workers' descendants with a watchdog, which ends them if this process is killed.

    First end the leftovers of orchestrators that were killed together with their watchdogs.
    """
    if sys.platform != "linux":
        yield
        return
    cgroups = CgroupManager(PROCESS_MARK)
    with cgroups.delegate_controllers(), run_watchdog():
        cgroups.remove_stale()
        remove_stale_folders()
        yield


@contextmanager
def run_watchdog() -> Iterator[None]:
    """Run a watchdog while entered."""
    reader, writer = os.pipe()
    # In its own session without a terminal, so that a closed terminal does not end it too.
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    pid = os.posix_spawn(
        sys.executable,
        # Isolated and without `site`: nothing that the user has installed may keep it from starting.
        [sys.executable, "-I", "-S", watchdog.__file__, tempfile.gettempdir()],
        {},
        setsid=True,
        file_actions=[(os.POSIX_SPAWN_DUP2, reader, 0), *quiet],
    )
    # With no reader left here, a write to a killed watchdog fails at once instead of filling the pipe.
    os.close(reader)
    try:
        with os.fdopen(writer, "w") as pipe:
            write_to_watchdog(pipe.fileno(), f"{PROCESS_MARK}\n")
            try:
                yield
            finally:
                write_to_watchdog(pipe.fileno(), watchdog.RELEASED)
    finally:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


@contextmanager
def make_temporary_folder() -> Iterator[Path]:
    """Make a temporary folder that is removed after the `with`.

    If this process is killed, its watchdog removes the folder, or else the next orchestrator that starts.
    """
    prefix = watchdog.folder_prefix(PROCESS_MARK)
    with contextlib.ExitStack() as stack:
        while True:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)))
            with contextlib.suppress(FileNotFoundError):  # another orchestrator removed it before it was locked
                descriptor = os.open(folder, os.O_RDONLY)
                stack.callback(os.close, descriptor)
                if lock_new(descriptor, folder):
                    break
        yield folder


def remove_stale_folders() -> None:
    """Remove the temporary folders of orchestrators that were killed together with their watchdogs, or had none."""
    for folder in Path(tempfile.gettempdir()).glob(FOLDER_PATTERN):
        remove_if_abandoned(folder, lambda path: shutil.rmtree(path, ignore_errors=True))


def end_leftovers(lock_text: str) -> None:
    """End the leftovers of a killed orchestrator whose watchdog was killed too; `lock_text` is its note in the lock.

    End nothing while that orchestrator lives: its processes are at work, and the lock belongs to a copy of its run.
    """
    pid, _, mark = lock_text.partition(" ")
    if sys.platform == "linux" and is_orchestrator(pid):
        return
    # The lock may come from an untrusted run: only a complete mark may select processes to kill.
    if sys.platform == "linux" and re.fullmatch("[0-9a-f]{32}", mark):
        watchdog.end_all(mark, tempfile.gettempdir())


def is_orchestrator(pid: str) -> bool:
    """Return whether the process with this id is alive and is an orchestrator."""
    try:
        return any("orchestrator" in part for part in psutil.Process(int(pid)).cmdline())
    except (ValueError, OverflowError, psutil.Error):
        return False


def write_to_watchdog(descriptor: int, text: str) -> None:
    """Write to the watchdog, unless it has been killed."""
    with contextlib.suppress(BrokenPipeError):
        os.write(descriptor, text.encode())
