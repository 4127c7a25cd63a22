"""Ends what an orchestrator leaves behind when it is killed: a program of its own, with the standard library only.

A worker dies with its parent by the kernel's hand; what the worker has started does not. So each orchestrator has one
such watchdog, which sleeps until its standard input ends. The first line there is the mark that every process of
every job carries in its environment. If nothing follows it, the orchestrator was killed, and all that carry the mark
are.
"""

import contextlib
import os
import signal
import sys
import time

VARIABLE = "PLUMBLINE_FAMILY"
RELEASED = "released\n"
ATTEMPTS = 500
PAUSE_S = 0.01


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
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE_S)


def main() -> None:
    """Wait for the orchestrator's end, which no signal to its terminal may forestall."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mark = sys.stdin.readline().strip()
    if sys.stdin.read() != RELEASED and mark:
        end_marked(mark)


if __name__ == "__main__":
    main()
