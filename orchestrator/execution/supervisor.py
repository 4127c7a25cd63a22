"""Supervision of one job, from spawn to reaping: feed it, read its events, enforce its deadline, leave nothing running.

One selector waits for the worker's events, its end, and the signals and keys that stop a sweep. It also waits for
deadlines and for a check from outside once a second. Between these the parent uses no CPU.
"""

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, Protocol

import psutil

from orchestrator.execution.deadlines import Deadlines
from orchestrator.execution.event_stream import EventReader, Garbled, MessageFeed
from orchestrator.execution.stop_requests import StopKind, StopRequests
from orchestrator.processes.cgroup import CgroupManager, CgroupUsage
from orchestrator.processes.descendants import PROCESS_MARK, adopt_orphans
from orchestrator.processes.limits import JobLimits, LimitReached
from orchestrator.processes.memory_sampler import MemorySampler
from orchestrator.processes.oom import OomCause, OomDetector
from orchestrator.processes.process import (
    Process,
    end_process_group,
    open_end_descriptor,
    open_log,
    signal_process_group,
)
from orchestrator.processes.stop_watcher import StopWatcher
from schemas.event import Event
from schemas.limits import Limits

DEFAULT_LIMITS = Limits()

# A running job is checked once a second, or less often: the checks may take one per cent of a core.
CHECK_INTERVAL_S = 1.0
MAX_CHECK_SHARE = 0.01

# A shorter sleep of the machine is the difference between two readings of its clocks.
MIN_SUSPENSION_NS = 100_000_000

EndKind = Literal["ended", "timeout", "garbled", "limit", StopKind]
# Called about once a second while the worker runs; LimitReached ends the job.
JobCheck = Callable[[], None]


class StartJob(Protocol):
    """The start of a job's process, with pipes as its standard input and output."""

    def __call__(self, *, stderr: IO[bytes]) -> Process:
        """Start it with this log."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a job and all its events. `status` is negative for a signal, as in subprocess.

    `oom` tells how a SIGKILL that this program did not send relates to memory running out. `memory` is the scope of the
    memory limit, `group` the counts of the job's cgroup. `stops` are the beginnings and ends of the times in which a
    signal had stopped the worker; for `suspended_ns` the whole machine slept. `obstacle` tells why a job that was to be
    forked started fresh. `arrivals_ns` are the times at which its events arrived, on a clock that stands still while it
    is stopped. `cpu_ns` is the CPU time of its process by the kernel's account. Both are empty if it was not observed.
    """

    how: EndKind
    status: int
    events: tuple[Event, ...]
    wall_ns: int
    reason: str = ""
    oom: OomCause = "no"
    seen: MemorySampler = field(default_factory=MemorySampler)
    memory: Literal["job", "process"] | None = None
    group: CgroupUsage = field(default_factory=CgroupUsage)
    stops: tuple[tuple[int, int], ...] = ()
    suspended_ns: int = 0
    obstacle: str = ""
    arrivals_ns: tuple[int, ...] = ()
    cpu_ns: int | None = None


def run(
    start_job: StartJob,
    message: bytes,
    log: Path,
    *,
    deadline_s: float,
    on_event: Callable[[Event], None],
    stop_requests: StopRequests | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Ending:
    """Run one worker to its end, from the start of its process on.

    The worker reads `message` from its standard input, writes events to its standard output, and its standard error
    goes to the file `log`. Call it from the main thread: the worker dies when the thread that made it ends.
    """
    start, events, arrivals_ns = time.monotonic_ns(), list[Event](), list[int]()
    memory_sampler, slept_ns = MemorySampler(), read_suspended_ns()
    with (
        adopt_orphans() as descendants,
        open_log(log) as log_file,
        CgroupManager(PROCESS_MARK).make_job_cgroup(limits) as cgroup,
    ):
        oom_detector = OomDetector(cgroup=cgroup.folders.get("memory"))
        process = start_job(stderr=log_file)
        stops = StopWatcher(process.pid)
        job_limits = JobLimits(limits, log, cgroup)
        # Before the spec is sent: the worker waits for it, so no framework starts without limits.
        job_limits.apply_limits(process.pid)
        deadlines = Deadlines(start, deadline_s, limits.phases)

        def now_ns() -> int:
            # This clock stands still while the worker is stopped, but a stop may last no longer than the job itself.
            return time.monotonic_ns() - min(stops.total_ns(), int(deadline_s * 1e9))

        def receive_event(event: Event) -> None:
            events.append(event)
            arrivals_ns.append(now_ns())
            deadlines.note_event(event, arrivals_ns[-1])
            on_event(event)

        def check_job() -> None:
            job_limits.check_limits()
            members = descendants.list_members()
            job_limits.check_processes(members)
            oom_detector.sample_memory(process.pid)
            memory_sampler.take_sample(members)

        try:
            how, reason = _watch_process(
                process, message, deadlines, now_ns, receive_event, stop_requests or StopRequests(), check_job
            )
        finally:
            cpu_ns = read_cpu_ns(process.pid)
            end_process_group(process)
            is_held = process.returncode is None  # only its tracer may reap it, although it was sent SIGKILL
            cgroup.kill_processes()  # finds even descendants that hide from the process tree
            descendants.kill_all()
            process.poll()
            stops.end_watch()
        if how == "ended":
            how, reason = _check_final_limits(job_limits)
        cause, usage = oom_detector.find_cause(), cgroup.read_usage()
    # Not earlier: a process of the job that still ran would extend the log again.
    job_limits.truncate_log()
    wall_ns = time.monotonic_ns() - start
    status = -signal.SIGKILL if is_held or process.returncode is None else process.returncode
    return Ending(
        how,
        status,
        tuple(events),
        wall_ns,
        reason,
        cause,
        memory_sampler,
        job_limits.memory,
        usage,
        stops=stops.list_spans(),
        suspended_ns=compute_suspension_ns(slept_ns, read_suspended_ns()),
        arrivals_ns=tuple(arrivals_ns),
        cpu_ns=cpu_ns,
    )


def read_cpu_ns(pid: int) -> int | None:
    """Return the CPU time of a process that has not been reaped yet, without its children; None: it cannot be read."""
    with contextlib.suppress(psutil.Error):
        used = psutil.Process(pid).cpu_times()
        return round((used.user + used.system) * 1e9)
    return None


def read_suspended_ns() -> int:
    """Return for how long this machine has slept since boot; one of the two clocks stands still then."""
    # The largest: time that passes between the two readings makes the difference smaller.
    return max(time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns() for _ in range(3))


def compute_suspension_ns(before_ns: int, after_ns: int) -> int:
    """Return for how long the machine slept in between; 0 for less than two readings can tell apart."""
    slept_ns = after_ns - before_ns
    return slept_ns if slept_ns >= MIN_SUSPENSION_NS else 0


def _check_final_limits(job_limits: JobLimits) -> tuple[EndKind, str]:
    """Check the limits once more after the end: one that was reached after the last check explains the end."""
    try:
        job_limits.check_limits()
    except LimitReached as error:
        return "limit", str(error)
    return "ended", ""


def _watch_process(
    process: Process,
    message: bytes,
    deadlines: Deadlines,
    now_ns: Callable[[], int],
    receive_event: Callable[[Event], None],
    stop_requests: StopRequests,
    check_job: JobCheck,
) -> tuple[EndKind, str]:
    """Watch a worker until it ends or must end; return how and why."""
    try:
        return _wait_for_end(
            process, message, deadlines, now_ns, receive_event, stop_requests, PeriodicCheck(check_job)
        )
    except Garbled as error:
        return "garbled", str(error)
    except LimitReached as error:
        signal_process_group(process.pid, signal.SIGKILL)  # it must not consume more during the grace periods
        return "limit", str(error)


def _wait_for_end(
    process: Process,
    message: bytes,
    deadlines: Deadlines,
    now_ns: Callable[[], int],
    receive_event: Callable[[Event], None],
    stop_requests: StopRequests,
    check: "PeriodicCheck",
) -> tuple[EndKind, str]:
    assert process.stdin is not None
    assert process.stdout is not None
    # A read must not block: a grandchild may hold the pipe open after the worker's end.
    os.set_blocking(process.stdout.fileno(), False)
    reader, feed = EventReader(process.stdout.fileno()), MessageFeed(process.stdin, message)
    with process.stdout, process.stdin, open_end_descriptor(process) as end, selectors.DefaultSelector() as selector:
        selector.register(feed.pipe, selectors.EVENT_WRITE)
        selector.register(reader.descriptor, selectors.EVENT_READ)
        selector.register(end, selectors.EVENT_READ)
        stop_requests.register_sources(selector)
        while True:
            left_s = min(deadlines.time_left_s(now_ns()), check.time_left_s())
            ready = {key.fileobj for key, _ in selector.select(left_s)}
            if feed.pipe in ready:
                _continue_feed(feed, selector)
            # Before the check of the end: the last events arrive together with it.
            for event in reader.read():
                receive_event(event)
            if end in ready:
                return "ended", ""
            stop_requests.read_keys(ready, selector)
            if found := stop_requests.find_request() or _check_deadlines(process, deadlines, now_ns()):
                return found
            check.run_if_due()
            if reader.closed and reader.descriptor in ready:
                selector.unregister(reader.descriptor)


def _check_deadlines(process: Process, deadlines: Deadlines, now_ns: int) -> tuple[EndKind, str] | None:
    """Return why a running job must end now; None if it is in time."""
    if passed := deadlines.describe_missed(now_ns):
        return "timeout", passed + _describe_stopped(process)
    return None


def _continue_feed(feed: MessageFeed, selector: selectors.BaseSelector) -> None:
    if feed.write_available():
        selector.unregister(feed.pipe)
        feed.pipe.close()


def _describe_stopped(process: Process) -> str:
    """Describe a process that was not slow but stopped, by SIGSTOP or the like; return "" if it was not."""
    with contextlib.suppress(psutil.Error):
        if psutil.Process(process.pid).status() == psutil.STATUS_STOPPED:
            return ", because a signal had stopped it (SIGSTOP)"
    return ""


class PeriodicCheck:
    """The periodic check of a running job from outside."""

    def __init__(self, check_job: JobCheck) -> None:
        self._check_job = check_job
        self._next_s = time.monotonic() + CHECK_INTERVAL_S

    def time_left_s(self) -> float:
        """Return the time until the next check, in seconds."""
        return max(0.0, self._next_s - time.monotonic())

    def run_if_due(self) -> None:
        """Run the check if it is due.

        Raises:
            LimitReached: the job exceeds a limit.
        """
        start = time.monotonic()
        if start < self._next_s:
            return
        self._check_job()
        end = time.monotonic()
        self._next_s = end + max(CHECK_INTERVAL_S, (end - start) / MAX_CHECK_SHARE)
