"""CPU time of the parent while a worker is in its steady phase, with the dashboard on a real terminal.

A sweep of one synthetic cell with a steady phase of ten seconds runs in a pseudo-terminal. This script reads the
parent's CPU times from outside, over the middle of that phase.
"""

import os
import pty
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

# Distinguishes a worker from the watchdog, another child that runs all the time.
WORKER = str(Path(__file__).parents[2].resolve() / "workers" / "start.py")

SPEC = """
name = "quiet"
[axes]
frameworks = ["synthetic:spin"]
workloads = ["synthetic"]
[stop]
blocks = 2
[timing]
samples = 1000
"""


def main() -> None:
    """Print the share of one core that the parent used."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "quiet.toml"
        spec.write_text(SPEC)
        pid, terminal = pty.fork()
        if pid == 0:
            command = [sys.executable, "-m", "orchestrator", "sweep", str(spec), "--runs", f"{folder}/runs"]
            os.execvp(command[0], command)
        threading.Thread(target=drain, args=(terminal,), daemon=True).start()
        shares = [share(psutil.Process(pid)) for _ in range(4)]
        os.waitpid(pid, 0)
    print(
        f"{psutil.cpu_count()} cores; parent's CPU over 6 s of each of {len(shares)} steady phases of 10 s, "
        f"dashboard on: median {statistics.median(shares):.2%} of one core, most {max(shares):.2%}"
    )


def share(parent: psutil.Process) -> float:
    """Wait for the next worker to reach its steady phase, and return the parent's share of one core meanwhile."""
    while not (workers := [child for child in parent.children() if is_worker(child)]):
        time.sleep(0.05)
    time.sleep(2)
    before, start = sum(parent.cpu_times()[:2]), time.monotonic()
    time.sleep(6)
    used = (sum(parent.cpu_times()[:2]) - before) / (time.monotonic() - start)
    psutil.wait_procs(workers, timeout=30)
    return used


def is_worker(process: psutil.Process) -> bool:
    """Return True if a child of the parent is a running worker."""
    try:
        return WORKER in process.cmdline()
    except psutil.Error:
        return False


def drain(terminal: int) -> None:
    """Read the output of the dashboard, as a terminal does."""
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:
        pass


if __name__ == "__main__":
    main()
