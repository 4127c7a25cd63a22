"""Real loads beside a measurement, each of which other people's programs cause: wakes, bursts, memory, a compile.

python tests/benchmarks/loads.py NAME CORE   # runs one of them until it is ended
"""

import contextlib
import os
import py_compile
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

WAKES_PER_S = 20
WAKE_NS = 50_000
BURST_NS = 4_000_000
MEMORY_BYTES = 1 << 28


def spin(duration_ns: int) -> None:
    """Use a core for some time."""
    end = time.perf_counter_ns() + duration_ns
    while time.perf_counter_ns() < end:
        pass


def wake_often() -> None:
    """Wake twenty times a second for fifty microseconds, as a desktop's small programs do."""
    while True:
        time.sleep(1 / WAKES_PER_S)
        spin(WAKE_NS)


def take_half() -> None:
    """Use half of a core in bursts of four milliseconds."""
    while True:
        spin(BURST_NS)
        time.sleep(BURST_NS / 1e9)


def stream_memory() -> None:
    """Copy memory that no cache holds, back and forth."""
    one, other = bytearray(MEMORY_BYTES), bytearray(MEMORY_BYTES)
    while True:
        one[:] = other
        other[:] = one


def compile_sources() -> None:
    """Compile the standard library's sources again and again: computing, files and memory."""
    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    with tempfile.TemporaryDirectory() as folder:
        while True:
            for source in sources:
                py_compile.compile(str(source), cfile=f"{folder}/compiled", doraise=False, quiet=2)


# Each load, and where its processes run: on the worker's core, on another, or on both.
LOADS: dict[str, tuple[Callable[[], None], tuple[str, ...]]] = {
    "none": (lambda: None, ()),
    "wakes": (wake_often, ("worker",)),
    "bursts": (take_half, ("worker",)),
    "memory": (stream_memory, ("other",)),
    "compile": (compile_sources, ("worker", "other")),
}


@contextlib.contextmanager
def run_load(name: str, worker_core: int, other_core: int) -> Iterator[None]:
    """Keep a load running until the end of the block."""
    _, places = LOADS[name]
    cores = {"worker": worker_core, "other": other_core}
    running = [
        subprocess.Popen([sys.executable, __file__, name, str(cores[place])], stdout=subprocess.DEVNULL)
        for place in places
    ]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[2])})
    LOADS[sys.argv[1]][0]()
