"""A separate program, of the standard library only, that cleans up after a killed orchestrator.

The kernel kills a worker together with its parent, but not the worker's children. So each orchestrator starts one
watchdog, which sleeps until its standard input ends. The first line of its input is the mark. Every process of every
job carries it in its environment, and every cgroup and temporary folder of a job in its name. If nothing follows the
mark, the orchestrator was killed, and the watchdog kills or removes everything with the mark. Its argument is the
folder of the temporary folders.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator

VARIABLE = "PLUMBLINE_FAMILY"
# Names of cgroups and temporary folders start so; the mark follows, then for a job the orchestrator's id and a number.
PREFIX = "plumbline-"

GROUPS = "/sys/fs/cgroup"
RELEASED = "released\n"
TRIES = 10
ATTEMPTS = 500
PAUSE_S = 0.01


def end_all(mark: str, temporary: str) -> None:
    """Kill or remove everything with this mark."""
    end_groups(mark)  # first: a process there may have discarded its environment with the mark
    end_marked(mark)
    remove_folders(mark, temporary)


def marked(mark: str) -> list[int]:
    """Return the readable processes with this mark in their environment."""
    wanted, found = f"{VARIABLE}={mark}".encode(), []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 (pathlib would be half of the start-up)
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:  # noqa: PTH123
            if wanted in file.read().split(b"\0"):
                found.append(int(name))
    return found


def end_marked(mark: str) -> None:
    """Kill the processes with this mark, and those that they start meanwhile, until none is left."""
    for _ in range(ATTEMPTS):
        found = [pid for pid in marked(mark) if pid != os.getpid()]
        if not found:
            return
        kill(found)
        time.sleep(PAUSE_S)


def folder_prefix(mark: str) -> str:
    """Return the prefix of temporary folders: short, because they hold sockets, whose paths are limited."""
    return f"{PREFIX}{mark[:12]}-"


def remove_folders(mark: str, root: str) -> None:
    """Remove the temporary folders with this mark, without following links."""
    import shutil  # noqa: PLC0415 (most watchdogs never need it)

    for name in os.listdir(root):  # noqa: PTH208
        if name.startswith(folder_prefix(mark)):
            shutil.rmtree(f"{root}/{name}", ignore_errors=True)


def end_groups(mark: str, root: str = GROUPS) -> None:
    """Kill all processes in the cgroups with this mark, at any depth, and remove these cgroups."""
    found = [f"{path}/{name}" for path, names, _ in os.walk(root) for name in names if name.startswith(PREFIX + mark)]
    homes = [group for group in found if group.endswith(mark)]
    for group in found:
        if group not in homes:
            end(group)
    for home in homes:
        leave(home)


def end(group: str) -> None:
    """Kill all processes in a cgroup and remove it; try again if one has joined meanwhile."""
    for _ in range(TRIES):
        if not empty(group) or remove(group):
            return
        time.sleep(PAUSE_S)


def empty(group: str) -> bool:
    """Kill all processes in a cgroup and below it; return whether none is left."""
    write(f"{group}/pids.max", "0")  # no new process can start there
    write(f"{group}/cgroup.kill", "1")
    for _ in range(ATTEMPTS):
        found = [pid for path, _, _ in os.walk(group) for pid in members(path)]
        if not found:
            return True
        kill(found)
        time.sleep(PAUSE_S)
    return False


def remove(group: str) -> bool:
    """Remove an empty cgroup and those below it; return whether it is gone."""
    for path, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(path)  # noqa: PTH106
    return not os.access(group, os.F_OK)


def leave(home: str) -> None:
    """Move all processes of an orchestrator's own cgroup to its parent, which then delegates no controllers."""
    around, _, _ = home.rpartition("/")
    write(f"{around}/cgroup.subtree_control", "-memory -pids")
    for pid in members(home):
        write(f"{around}/cgroup.procs", str(pid))
    remove(home)


def members(group: str) -> Iterator[int]:
    """Yield the processes of a cgroup, without those that are invisible here, which the kernel lists as 0."""
    with contextlib.suppress(OSError), open(f"{group}/cgroup.procs") as file:  # noqa: PTH123
        yield from filter(None, map(int, file.read().split()))


def write(path: str, text: str) -> bool:
    """Write to an existing file of the kernel; return whether the kernel accepted it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY)
        try:
            return os.write(descriptor, text.encode()) == len(text)
        finally:
            os.close(descriptor)
    return False


def kill(pids: list[int]) -> None:
    """Kill these processes; ignore those that are gone or not permitted."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Wait for the orchestrator's end, undisturbed by signals to its terminal, and clean up if it was killed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mark = sys.stdin.readline().strip()
    if sys.stdin.read() != RELEASED and mark:
        end_all(mark, sys.argv[1])


if __name__ == "__main__":
    main()
