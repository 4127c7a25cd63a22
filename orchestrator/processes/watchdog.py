"""A separate program, of the standard library only, that cleans up after a killed orchestrator.

The kernel kills a worker together with its parent, but not the worker's children. So each orchestrator starts one
watchdog, which sleeps until its standard input ends. The first line of its input is the mark. Every process of every
job carries it in its environment, and every cgroup and temporary folder of a job in its name. If nothing follows the
mark, the orchestrator was killed, and the watchdog kills or removes everything with the mark. Its argument is the
folder of the temporary folders.
"""

import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Iterator

MARK_VARIABLE = "PLUMBLINE_FAMILY"
# Names of cgroups and temporary folders start so; the mark follows, then for a job the orchestrator's id and a number.
NAME_PREFIX = "plumbline-"
# Temporary folders hold sockets, whose paths are limited: a part of the mark is enough to tell them apart.
FOLDER_MARK_LENGTH = 10

CGROUP_ROOT = "/sys/fs/cgroup"
RELEASED = "released\n"
ATTEMPTS = 500
PAUSE_S = 0.01


def end_all(mark: str, temporary: str) -> None:
    """Kill or remove everything with this mark."""
    end_cgroups(mark)  # first: a process there may have discarded its environment with the mark
    end_marked(mark)
    remove_folders(mark, temporary)


def find_marked(mark: str) -> list[int]:
    """Return the readable processes with this mark in their environment."""
    wanted, found = f"{MARK_VARIABLE}={mark}".encode(), []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 (pathlib would be half of the start-up)
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:  # noqa: PTH123
            # Compare whole entries: another variable may quote the mark, and its process must live.
            if wanted in file.read().split(b"\0"):
                found.append(int(name))
    return found


def end_marked(mark: str) -> None:
    """Kill the processes with this mark, and those that they start meanwhile, until none is left."""
    for _ in range(ATTEMPTS):
        found = [pid for pid in find_marked(mark) if pid != os.getpid()]
        if not found:
            return
        kill_processes(found)
        time.sleep(PAUSE_S)


def folder_prefix(mark: str) -> str:
    """Return how the names of an orchestrator's temporary folders begin."""
    return f"{NAME_PREFIX}{mark[:FOLDER_MARK_LENGTH]}-"


def remove_folders(mark: str, root: str) -> None:
    """Remove the temporary folders with this mark, without following links."""
    import shutil  # noqa: PLC0415 (most watchdogs never need it)

    for name in os.listdir(root):  # noqa: PTH208
        if name.startswith(folder_prefix(mark)):
            shutil.rmtree(f"{root}/{name}", ignore_errors=True)


def end_cgroups(mark: str, root: str = CGROUP_ROOT) -> None:
    """Kill all processes in the cgroups with this mark, at any depth, and remove these cgroups."""
    found = [
        f"{path}/{name}" for path, names, _ in os.walk(root) for name in names if name.startswith(NAME_PREFIX + mark)
    ]
    homes = [group for group in found if group.endswith(mark)]
    for group in found:
        if group not in homes:
            end_cgroup(group)
    for home in homes:
        leave_cgroup(home)


def end_cgroup(group: str) -> None:
    """Kill all processes in a cgroup and remove it; try again if one has joined meanwhile or is not quite gone."""
    for _ in range(ATTEMPTS):
        if not kill_members(group) or not is_left_busy(group):
            return
        time.sleep(PAUSE_S)


def kill_members(group: str) -> bool:
    """Kill all processes in a cgroup and below it; return whether none is left."""
    write_kernel_file(f"{group}/pids.max", "0")  # no new process can start there
    write_kernel_file(f"{group}/cgroup.kill", "1")
    for _ in range(ATTEMPTS):
        # Members are killed singly too: version 1 and older kernels have no cgroup.kill.
        found = [pid for path, _, _ in os.walk(group) for pid in list_members(path)]
        if not found:
            return True
        kill_processes(found)
        time.sleep(PAUSE_S)
    return False


def is_left_busy(group: str) -> bool:
    """Remove an empty cgroup; return whether the kernel still holds a process there that has just ended."""
    remove_cgroup(group)
    try:
        os.rmdir(group)  # noqa: PTH106
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def remove_cgroup(group: str) -> None:
    """Remove an empty cgroup and those below it, if the kernel lets it."""
    # The kernel refuses to remove a cgroup that has children, so the deepest goes first.
    for path, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(path)  # noqa: PTH106


def leave_cgroup(home: str) -> None:
    """Move all processes of an orchestrator's own cgroup to its parent, which then delegates no controllers."""
    around, _, _ = home.rpartition("/")
    # Before the moves: a cgroup that delegates controllers accepts no processes.
    write_kernel_file(f"{around}/cgroup.subtree_control", "-memory -pids")
    for pid in list_members(home):
        write_kernel_file(f"{around}/cgroup.procs", str(pid))
    remove_cgroup(home)


def list_members(group: str) -> Iterator[int]:
    """Yield the processes of a cgroup, without those that are invisible here, which the kernel lists as 0."""
    with contextlib.suppress(OSError), open(f"{group}/cgroup.procs") as file:  # noqa: PTH123
        yield from filter(None, map(int, file.read().split()))


def write_kernel_file(path: str, text: str) -> bool:
    """Write to an existing file of the kernel; return whether the kernel accepted it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY)
        try:
            return os.write(descriptor, text.encode()) == len(text)
        finally:
            os.close(descriptor)
    return False


def kill_processes(pids: list[int]) -> None:
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
