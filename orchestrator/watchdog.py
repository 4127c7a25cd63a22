"""Ends what an orchestrator leaves behind when it is killed: a program of its own, with the standard library only.

A worker dies with its parent by the kernel's hand; what the worker has started does not. So each orchestrator has one
such watchdog, which sleeps until its standard input ends. The first line there is the mark that every process of
every job carries in its environment, and every control group and temporary folder of a job in its name. If nothing
follows it, the orchestrator was killed, and all that carry the mark are, or are removed. The folder in which temporary
folders are made is its argument.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator

VARIABLE = "PLUMBLINE_FAMILY"
PREFIX = "plumbline-"
"""Of the names of control groups and temporary folders; the mark follows, and for a group of a job the orchestrator's
process id and a number."""

GROUPS = "/sys/fs/cgroup"
RELEASED = "released\n"
TRIES = 10
ATTEMPTS = 500
PAUSE_S = 0.01


def end_all(mark: str, temporary: str) -> None:
    """End or remove whatever carries this mark."""
    end_groups(mark)
    end_marked(mark)
    remove_folders(mark, temporary)


def marked(mark: str) -> list[int]:
    """The processes that were started with this mark in their environment, and may be looked into."""
    wanted, found = f"{VARIABLE}={mark}".encode(), []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 (pathlib would be half of the start-up)
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:  # noqa: PTH123
            if wanted in file.read().split(b"\0"):
                found.append(int(name))
    return found


def end_marked(mark: str) -> None:
    """Kill them, and those that they start meanwhile, until there are none."""
    for _ in range(ATTEMPTS):
        found = [pid for pid in marked(mark) if pid != os.getpid()]
        if not found:
            return
        kill(found)
        time.sleep(PAUSE_S)


def folder_prefix(mark: str) -> str:
    """How the names of its temporary folders begin: short, since paths of sockets are below them."""
    return f"{PREFIX}{mark[:12]}-"


def remove_folders(mark: str, root: str) -> None:
    """Remove the temporary folders with this mark. No link is followed."""
    import shutil  # noqa: PLC0415 (most watchdogs never need it)

    for name in os.listdir(root):  # noqa: PTH208
        if name.startswith(folder_prefix(mark)):
            shutil.rmtree(f"{root}/{name}", ignore_errors=True)


def end_groups(mark: str, root: str = GROUPS) -> None:
    """Kill all that is in the control groups with this mark, wherever these are, and remove them."""
    found = [f"{path}/{name}" for path, names, _ in os.walk(root) for name in names if name.startswith(PREFIX + mark)]
    homes = [group for group in found if group.endswith(mark)]
    for group in found:
        if group not in homes:
            end(group)
    for home in homes:
        leave(home)


def end(group: str) -> None:
    """Kill all that is in a control group, and remove it; again, if something has joined it meanwhile."""
    for _ in range(TRIES):
        if not empty(group) or remove(group):
            return
        time.sleep(PAUSE_S)


def empty(group: str) -> bool:
    """Kill all that is in a control group and in those below it; whether nobody is left there."""
    write(f"{group}/pids.max", "0")  # from now on nothing is started there
    write(f"{group}/cgroup.kill", "1")
    for _ in range(ATTEMPTS):
        found = [pid for path, _, _ in os.walk(group) for pid in members(path)]
        if not found:
            return True
        kill(found)
        time.sleep(PAUSE_S)
    return False


def remove(group: str) -> bool:
    """Remove an empty control group and those below it; whether it is gone."""
    for path, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(path)  # noqa: PTH106
    return not os.access(group, os.F_OK)


def leave(home: str) -> None:
    """Move all that is in an orchestrator's own group to the one around it, which hands on no controllers any more."""
    around, _, _ = home.rpartition("/")
    write(f"{around}/cgroup.subtree_control", "-memory -pids")
    for pid in members(home):
        write(f"{around}/cgroup.procs", str(pid))
    remove(home)


def members(group: str) -> Iterator[int]:
    """The processes of a control group; 0 stands for one that cannot be seen from here."""
    with contextlib.suppress(OSError), open(f"{group}/cgroup.procs") as file:  # noqa: PTH123
        yield from filter(None, map(int, file.read().split()))


def write(path: str, text: str) -> bool:
    """Write to a file of the kernel's that is there; whether it was taken."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY)
        try:
            return os.write(descriptor, text.encode()) == len(text)
        finally:
            os.close(descriptor)
    return False


def kill(pids: list[int]) -> None:
    """Kill these processes, as far as they are there and may be."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Wait for the orchestrator's end, which no signal to its terminal may forestall."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mark = sys.stdin.readline().strip()
    if sys.stdin.read() != RELEASED and mark:
        end_all(mark, sys.argv[1])


if __name__ == "__main__":
    main()
