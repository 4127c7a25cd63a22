"""All that a job starts, however far it moves away: none of it outlives the job, nor this program.

A process group can be left with `setsid`, and a parent by forking twice. So while a job runs this process is the one
to which the kernel hands such orphans, and afterwards all its new descendants are ended. Against being killed itself
it has a watchdog.
"""

import contextlib
import ctypes
import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from orchestrator import watchdog
from orchestrator.groups import Groups

PR_SET_CHILD_SUBREAPER = 36
MARK = secrets.token_hex(16)
"""In the environment of every worker of this process, and so of what it starts; and in the names of its control
groups and temporary folders."""

ATTEMPTS = 1000
PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Family:
    """A job's processes: all descendants of this process that were not there before."""

    before: frozenset[psutil.Process]

    def members(self) -> list[psutil.Process]:
        """Those that there are now, the dead that nobody has reaped yet included."""
        return [process for process in psutil.Process().children(recursive=True) if process not in self.before]

    def end(self) -> None:
        """Kill and reap until nobody is left. Of several jobs at once, the last to end does it for all.

        What cannot die, since it waits in the kernel for a device, is given ten seconds.
        """
        if any(other is not self for other in RUNNING):
            return
        for _ in range(ATTEMPTS):
            found = self.members()
            if not found:
                return
            for process in found:
                with contextlib.suppress(psutil.Error):
                    process.kill()
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)
            time.sleep(PAUSE_S)


RUNNING: list[Family] = []
"""Of the jobs that run now: one, or two while the self-test disturbs one with another."""


@contextmanager
def adopting() -> Iterator[Family]:
    """While entered, descendants that lose their parents become children of this process, where it can find them."""
    family = Family(frozenset(psutil.Process().children(recursive=True)))
    RUNNING.append(family)
    subreaper(wanted=True)
    try:
        yield family
    finally:
        RUNNING[:] = [other for other in RUNNING if other is not family]
        subreaper(wanted=bool(RUNNING))


def subreaper(*, wanted: bool) -> None:
    """Ask the kernel to hand orphans to this process, or no longer to."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


@contextmanager
def guarded() -> Iterator[None]:
    """While entered, a watchdog ends the workers' descendants if this process is killed.

    What others have left that were killed together with their watchdogs is ended first.
    """
    if sys.platform != "linux":
        yield
        return
    groups = Groups(MARK)
    with groups.handing_on(), watched():
        groups.end_stale()
        yield


@contextmanager
def watched() -> Iterator[None]:
    """While entered, there is a watchdog."""
    reader, writer = os.pipe()
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", watchdog.__file__, tempfile.gettempdir()],
        {},
        setsid=True,
        file_actions=[(os.POSIX_SPAWN_DUP2, reader, 0), *quiet],
    )
    os.close(reader)
    with os.fdopen(writer, "w") as leash:
        tell(leash.fileno(), f"{MARK}\n")
        try:
            yield
        finally:
            tell(leash.fileno(), watchdog.RELEASED)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def folder() -> "tempfile.TemporaryDirectory[str]":
    """A temporary folder that is gone after the `with`, or if this process is killed, with its watchdog."""
    return tempfile.TemporaryDirectory(prefix=watchdog.folder_prefix(MARK), ignore_cleanup_errors=True)


def end_left(said: str) -> None:
    """End what a killed orchestrator has left, if its watchdog was killed with it: `said` is what its lock says.

    Nothing is ended while it lives: what it is said to have left is at work, and the lock is in a copy of its run.
    """
    pid, _, mark = said.partition(" ")
    if sys.platform == "linux" and is_orchestrator(pid):
        return
    if sys.platform == "linux" and re.fullmatch("[0-9a-f]{32}", mark):
        watchdog.end_all(mark, tempfile.gettempdir())


def is_orchestrator(pid: str) -> bool:
    """Whether the process of this number is alive, and this program or one like it."""
    try:
        return any("orchestrator" in part for part in psutil.Process(int(pid)).cmdline())
    except (ValueError, OverflowError, psutil.Error):
        return False


def tell(descriptor: int, text: str) -> None:
    """Write to the watchdog, if nobody has killed it."""
    with contextlib.suppress(BrokenPipeError):
        os.write(descriptor, text.encode())
