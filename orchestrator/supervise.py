"""Supervision of one job, from spawn to reaping: feed it, read its events, enforce its deadline, leave nothing running.

The project's only Popen is here, for installers as well. One selector waits for the worker's events, its end, and the
signals and keys that stop a sweep. It also waits for deadlines and for a check from outside once a second. Between
these the parent uses no CPU.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

import psutil
from pydantic import TypeAdapter, ValidationError

from orchestrator.bounds import JobLimits, LimitReached
from orchestrator.deadlines import Deadlines
from orchestrator.family import PROCESS_MARK, adopt_orphans
from orchestrator.groups import CgroupManager, CgroupUsage
from orchestrator.hunger import OomCause, OomDetector
from orchestrator.interrupts import Interrupts
from orchestrator.onlooker import MemorySampler
from orchestrator.watchdog import MARK_VARIABLE
from orchestrator.wishes import StopKind, StopRequests
from schemas.event import Event
from schemas.limits import Limits

EVENT_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)
# Limits on a worker's output, so that a runaway worker cannot exhaust the parent's memory.
MAX_LINE_BYTES = 16 << 20
MAX_OUTPUT_BYTES = 64 << 20
# A job sends some dozens of events; a parsed one takes more memory than its bytes on the pipe.
MAX_EVENTS = 10_000

DEFAULT_LIMITS = Limits()
# The time that a process group has after SIGINT, and again after SIGTERM, before the next, harder signal.
GRACE_S = 0.5

# A running job is checked once a second, or less often: the checks may take one per cent of a core.
CHECK_INTERVAL_S = 1.0
MAX_CHECK_SHARE = 0.01

EndKind = Literal["ended", "timeout", "garbled", "limit", StopKind]
# Called about once a second while the worker runs; LimitReached ends the job.
JobCheck = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a job and all its events. `status` is negative for a signal, as in subprocess.

    `hunger` tells how a SIGKILL that this program did not send relates to memory running out. `memory` is the scope of
    the memory limit, `group` the counts of the job's cgroup.
    """

    how: EndKind
    status: int
    events: tuple[Event, ...]
    wall_ns: int
    reason: str = ""
    hunger: OomCause = "no"
    seen: MemorySampler = field(default_factory=MemorySampler)
    memory: Literal["job", "process"] | None = None
    group: CgroupUsage = field(default_factory=CgroupUsage)


class Garbled(Exception):
    """Output of a worker that is not a valid event."""


def run(
    command: Sequence[str],
    message: bytes,
    environment: Mapping[str, str],
    log: Path,
    *,
    deadline_s: float,
    on_event: Callable[[Event], None],
    wishes: StopRequests | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Ending:
    """Run one worker to its end.

    The worker reads `message` from its standard input, writes events to its standard output, and its standard error
    goes to the file `log`. Call it from the main thread: the worker dies when the thread that made it ends.
    """
    start, events, onlooker = time.monotonic_ns(), list[Event](), MemorySampler()
    with (
        adopt_orphans() as family,
        open_log(log) as log_file,
        CgroupManager(PROCESS_MARK).make_job_cgroup(limits) as group,
    ):
        hunger = OomDetector(group=group.folders.get("memory"))
        process = subprocess.Popen(  # noqa: S603 (the one place that starts a worker)
            command,
            env={**environment, MARK_VARIABLE: PROCESS_MARK},
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
        )
        bounds = JobLimits(limits, log, group)
        bounds.apply_limits(process.pid)
        deadlines = Deadlines(start, deadline_s, limits.phases)

        def check_job() -> None:
            bounds.check_limits()
            members = family.list_members()
            bounds.check_processes(members)
            hunger.sample_memory(process.pid)
            onlooker.take_sample(members)

        try:
            how, reason = _watch_process(
                process, message, deadlines, events, on_event, wishes or StopRequests(), check_job
            )
        finally:
            _end_process_group(process)
            held = process.returncode is None  # only its tracer may reap it, although it was sent SIGKILL
            group.kill_processes()  # finds even descendants that hide from the process tree
            family.kill_all()
            process.poll()
        if how == "ended":
            how, reason = _check_final_limits(bounds)
        cause, counted = hunger.find_cause(), group.read_usage()
    bounds.truncate_log()
    wall_ns = time.monotonic_ns() - start
    status = -signal.SIGKILL if held else process.returncode
    return Ending(how, status, tuple(events), wall_ns, reason, cause, onlooker, bounds.memory, counted)


def run_to_completion(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    output: Path | None = None,
    interrupts: Interrupts | None = None,
    keep: Sequence[int] = (),
    deadline_s: float | None = None,
) -> int | None:
    """Run a program other than a worker, such as an installer, and return its status, or None if interrupted.

    Its output is appended to `log`, its standard output to `output` if given. A signal or the deadline ends it and its
    descendants. It inherits the descriptors `keep`: a lock held through one lasts until the program has ended, even if
    this process is killed meanwhile.
    """
    with adopt_orphans() as family, open_log(log, APPEND_FLAGS) as said, open_log(output or log, APPEND_FLAGS) as put:
        process = subprocess.Popen(  # noqa: S603 (this program builds the command)
            command,
            env={**environment, MARK_VARIABLE: PROCESS_MARK},
            start_new_session=True,
            pass_fds=tuple(keep),
            stdin=subprocess.DEVNULL,
            stdout=put,
            stderr=said,
        )
        try:
            with _open_end_descriptor(process) as end, selectors.DefaultSelector() as selector:
                selector.register(end, selectors.EVENT_READ)
                if interrupts is not None:
                    selector.register(interrupts, selectors.EVENT_READ)
                selector.select(deadline_s)
            over = process.poll() is not None
        finally:
            _end_process_group(process)
            family.kill_all()
    return process.returncode if over or interrupts is None or interrupts.received is None else None


# O_NONBLOCK: a pipe in the log's place must fail to open, not wait for a reader.
TRUNCATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
APPEND_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK


def open_log(log: Path, flags: int = TRUNCATE_FLAGS) -> IO[bytes]:
    """Open a log to replace or extend it, without following a link or waiting for a pipe."""
    return os.fdopen(os.open(log, flags, 0o644), "wb")


def _check_final_limits(bounds: JobLimits) -> tuple[EndKind, str]:
    """Check the limits once more after the end: one that was reached after the last check explains the end."""
    try:
        bounds.check_limits()
    except LimitReached as error:
        return "limit", str(error)
    return "ended", ""


def _watch_process(
    process: "subprocess.Popen[bytes]",
    message: bytes,
    deadlines: Deadlines,
    events: list[Event],
    on_event: Callable[[Event], None],
    wishes: StopRequests,
    look: JobCheck,
) -> tuple[EndKind, str]:
    assert process.stdin is not None
    assert process.stdout is not None
    # A read must not block: a grandchild may hold the pipe open after the worker's end.
    os.set_blocking(process.stdout.fileno(), False)
    lines, feed, outlook = (
        EventReader(process.stdout.fileno()),
        MessageFeed(process.stdin, message),
        PeriodicCheck(look),
    )
    with process.stdout, process.stdin, _open_end_descriptor(process) as end, selectors.DefaultSelector() as selector:
        selector.register(feed.pipe, selectors.EVENT_WRITE)
        selector.register(lines.descriptor, selectors.EVENT_READ)
        selector.register(end, selectors.EVENT_READ)
        wishes.register_sources(selector)
        try:
            while True:
                left_s = min(deadlines.time_left_s(time.monotonic_ns()), outlook.time_left_s())
                ready = {key.fileobj for key, _ in selector.select(left_s)}
                if feed.pipe in ready:
                    _continue_feed(feed, selector)
                # Before the check of the end: the last events arrive together with it.
                for event in lines.read():
                    events.append(event)
                    deadlines.note_event(event, time.monotonic_ns())
                    on_event(event)
                if end in ready:
                    return "ended", ""
                wishes.read_keys(ready, selector)
                if found := wishes.find_request() or _check_deadlines(process, deadlines):
                    return found
                outlook.run_if_due()
                if lines.closed and lines.descriptor in ready:
                    selector.unregister(lines.descriptor)
        except Garbled as error:
            return "garbled", str(error)
        except LimitReached as error:
            _signal_process_group(process.pid, signal.SIGKILL)  # it must not consume more during the grace periods
            return "limit", str(error)


def _check_deadlines(process: "subprocess.Popen[bytes]", deadlines: Deadlines) -> tuple[EndKind, str] | None:
    """Return why a running job must end now; None if it is in time."""
    if passed := deadlines.describe_missed(time.monotonic_ns()):
        return "timeout", passed + _describe_stopped(process)
    return None


def _continue_feed(feed: "MessageFeed", selector: selectors.BaseSelector) -> None:
    if feed.write_available():
        selector.unregister(feed.pipe)
        feed.pipe.close()


def _describe_stopped(process: "subprocess.Popen[bytes]") -> str:
    """Describe a process that was not slow but stopped, by SIGSTOP or the like; return "" if it was not."""
    with contextlib.suppress(psutil.Error):
        if psutil.Process(process.pid).status() == psutil.STATUS_STOPPED:
            return ", because a signal had stopped it (SIGSTOP)"
    return ""


class PeriodicCheck:
    """The periodic check of a running job from outside."""

    def __init__(self, look: JobCheck) -> None:
        self._look = look
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
        self._look()
        end = time.monotonic()
        self._next_s = end + max(CHECK_INTERVAL_S, (end - start) / MAX_CHECK_SHARE)


class MessageFeed:
    """The message to a worker, which may never read it."""

    def __init__(self, pipe: IO[bytes], message: bytes) -> None:
        os.set_blocking(pipe.fileno(), False)
        self.pipe = pipe
        self._rest = memoryview(message)

    def write_available(self) -> bool:
        """Write what the pipe accepts now, and tell whether the message is finished."""
        try:
            self._rest = self._rest[os.write(self.pipe.fileno(), self._rest) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            return True
        return not self._rest


class EventReader:
    """Events read from a descriptor that does not block: valid lines of bounded length."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.closed = False
        self._rest = bytearray()
        self._total = 0
        self._count = 0

    def read(self) -> Iterator[Event]:
        """Yield the events that have arrived completely.

        Raises:
            Garbled: a line is invalid or too long, or the output is too large in total.
        """
        for chunk in self._read_chunks():
            self._total += len(chunk)
            self._rest += chunk
            whole: list[bytearray] = []
            if b"\n" in chunk:
                *whole, self._rest = self._rest.split(b"\n")
            # Checked before parsing, since a line may never end.
            if self._total > MAX_OUTPUT_BYTES or len(self._rest) > MAX_LINE_BYTES:
                raise Garbled(
                    "the worker sent more than "
                    f"{MAX_OUTPUT_BYTES if self._total > MAX_OUTPUT_BYTES else MAX_LINE_BYTES} bytes"
                )
            for line in whole:
                yield self._parse_line(line)

    def _read_chunks(self) -> Iterator[bytes]:
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.descriptor, 1 << 16):
                yield chunk
            self.closed = True

    def _parse_line(self, line: bytearray) -> Event:
        self._count += 1
        if self._count > MAX_EVENTS:
            raise Garbled(f"the worker sent more than {MAX_EVENTS} events")
        try:
            return EVENT_ADAPTER.validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the line"
            raise Garbled(
                f"the worker sent an invalid event ({place}: {first['msg']}): {bytes(line[:80])!r}"
            ) from error


@contextlib.contextmanager
def _open_end_descriptor(process: "subprocess.Popen[bytes]") -> Iterator[int]:
    """Provide a descriptor that becomes readable at the end of the process, even while a grandchild holds its pipes."""
    descriptor = os.pidfd_open(process.pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _end_process_group(process: "subprocess.Popen[bytes]") -> None:
    """End the rest of the worker's process group: interrupt, wait, terminate, wait, kill."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if process.poll() is not None:
            break
        _signal_process_group(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    _signal_process_group(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):  # only its tracer may reap a process that has one
        process.wait(GRACE_S)


def _signal_process_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
