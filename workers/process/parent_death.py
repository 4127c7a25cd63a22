"""Termination of a worker together with its parent."""

import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1

# The kernel hands an orphan over within microseconds.
HANDOVER_S = 5.0
PAUSE_S = 0.0002


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the thread that spawned it ends.

    This works even while C code holds the interpreter lock. `parent` is the process id of the process that spawned
    this one. If it has already ended, the request came too late and this process exits here.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The order matters: checked first, a parent that ends in between would go unnoticed.
    if os.getppid() != parent:
        os._exit(1)


def wait_for_parent(parent: int) -> None:
    """Wait until the process that forked this one has ended, and the kernel has handed this one to `parent`."""
    deadline = time.monotonic() + HANDOVER_S
    while os.getppid() != parent and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
