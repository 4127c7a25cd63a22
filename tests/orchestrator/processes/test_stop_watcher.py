"""The stops of a child process are seen when they happen, however short, until its end."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.processes.stop_watcher import StopWatcher

Soon = Callable[[Callable[[], bool]], bool]


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_each_stop_has_its_beginning_and_its_end(child: "subprocess.Popen[bytes]", soon: Soon) -> None:
    watcher, began = StopWatcher(child.pid), time.monotonic_ns()
    for _ in range(2):
        child.send_signal(signal.SIGSTOP)
        assert soon(lambda: is_open(watcher))
        time.sleep(0.2)
        child.send_signal(signal.SIGCONT)
        assert soon(lambda: not is_open(watcher))
    child.kill()
    child.wait()
    watcher.end_watch()
    first, second = watcher.list_spans()
    assert began < first[0] < first[1] < second[0] < second[1] < time.monotonic_ns()
    assert watcher.total_ns() == first[1] - first[0] + second[1] - second[0] >= 2 * 200_000_000


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def is_open(watcher: StopWatcher) -> bool:
    """Return whether a stop lasts: then its end is always now."""
    return watcher.list_spans() != watcher.list_spans()


def test_a_stop_that_lasts_is_counted_so_far_and_ends_with_the_process(
    child: "subprocess.Popen[bytes]", soon: Soon
) -> None:
    watcher = StopWatcher(child.pid)
    child.send_signal(signal.SIGSTOP)
    assert soon(lambda: watcher.total_ns() > 0)
    before = watcher.total_ns()
    assert watcher.total_ns() > before
    child.kill()
    child.wait()
    watcher.end_watch()
    assert not is_open(watcher)
    assert watcher.total_ns() >= before


def test_a_process_that_nothing_stops_has_no_stops_and_its_end_is_no_stop(child: "subprocess.Popen[bytes]") -> None:
    descriptors = count_descriptors()
    watcher = StopWatcher(child.pid)
    child.communicate(b"\n")
    watcher.end_watch()
    assert (watcher.total_ns(), watcher.list_spans()) == (0, ())
    assert count_descriptors() < descriptors  # the pipe is closed, and the watcher's own too


def test_watching_takes_no_exit_status_from_who_waits_for_it(child: "subprocess.Popen[bytes]") -> None:
    watcher = StopWatcher(child.pid)
    child.send_signal(signal.SIGSTOP)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    watcher.end_watch()
