"""The only Popen: a child process is started, awaited, and ended with its process group."""

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from orchestrator.processes.descendants import PROCESS_MARK, adopt_orphans
from orchestrator.processes.signals import Interrupts
from orchestrator.processes.watchdog import MARK_VARIABLE

# The time that a process group has after SIGINT, and again after SIGTERM, before the next, harder signal.
GRACE_S = 0.5


class Process(Protocol):
    """A child process: started from a program, or forked from a template."""

    pid: int
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    @property
    def returncode(self) -> int | None:
        """The status with which it has ended, negative for a signal; None while it runs."""

    def poll(self) -> int | None:
        """Look whether it has ended, and return its status."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, for at most `timeout` seconds, and return its status."""


def start_process(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stderr: IO[bytes],
    stdout: IO[bytes] | None = None,
    keep: Sequence[int] = (),
    feed: bool = False,
) -> Process:
    """Start a program in a process group of its own, marked as started by this program.

    Without `stdout` its standard input and output are pipes; with it, its standard input is one if it is to be fed. It
    inherits the descriptors `keep`. Call this from the main thread: a worker dies when the thread that started it ends.
    """
    return subprocess.Popen(  # noqa: S603 (this program builds every command)
        command,
        env={**environment, MARK_VARIABLE: PROCESS_MARK},
        # Ctrl-C in the terminal must reach this program alone, which then decides how its jobs end.
        start_new_session=True,
        pass_fds=tuple(keep),
        stdin=subprocess.DEVNULL if stdout and not feed else subprocess.PIPE,
        stdout=stdout or subprocess.PIPE,
        stderr=stderr,
    )


class ForkedProcess:
    """A process that a template has forked, and whose parent is this process by now, or within a moment."""

    def __init__(self, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid = pid
        self.stdin: IO[bytes] | None = stdin
        self.stdout: IO[bytes] | None = stdout
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Look whether it has ended, and return its status."""
        if self.returncode is None:
            with contextlib.suppress(ChildProcessError):  # the kernel has not handed it over yet
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, for at most `timeout` seconds, and return its status.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if self.poll() is None:
            with open_end_descriptor(self) as end, selectors.DefaultSelector() as selector:
                selector.register(end, selectors.EVENT_READ)
                selector.select(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        assert self.returncode is not None
        return self.returncode


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
    with (
        adopt_orphans() as descendants,
        open_log(log, APPEND_FLAGS) as stderr,
        open_log(output or log, APPEND_FLAGS) as stdout,
    ):
        process = start_process(command, environment, stdout=stdout, stderr=stderr, keep=keep)
        try:
            with open_end_descriptor(process) as end, selectors.DefaultSelector() as selector:
                selector.register(end, selectors.EVENT_READ)
                if interrupts is not None:
                    selector.register(interrupts, selectors.EVENT_READ)
                selector.select(deadline_s)
            # Asked before the group is killed, after which every program has ended.
            has_ended = process.poll() is not None
        finally:
            end_process_group(process)
            descendants.kill_all()
    return process.returncode if has_ended or interrupts is None or interrupts.received is None else None


@dataclass(frozen=True, slots=True)
class ProgramOutput:
    """The output of a program that has ended, with its status; None: it could not be run, or took too long."""

    status: int | None
    output: str
    errors: str


def ask_program(command: Sequence[str], *, message: str = "", deadline_s: float) -> ProgramOutput:
    """Run a short program that belongs to others, such as one of a scheduler, and return its output.

    Its environment is not marked: what it starts on other machines is not this program's to end.
    """
    try:
        done = subprocess.run(  # noqa: S603 (this program builds every command)
            command,
            input=message,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline_s,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ProgramOutput(None, "", f"{command[0]} did not answer within {deadline_s:g} s")
    except OSError as error:
        return ProgramOutput(None, "", f"{command[0]}: {error.strerror}")
    return ProgramOutput(done.returncode, done.stdout, done.stderr.strip())


# O_NONBLOCK: a pipe in the log's place must fail to open, not wait for a reader.
TRUNCATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
APPEND_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK


def open_log(log: Path, flags: int = TRUNCATE_FLAGS) -> IO[bytes]:
    """Open a log to replace or extend it, without following a link or waiting for a pipe."""
    return os.fdopen(os.open(log, flags, 0o644), "wb")


@contextlib.contextmanager
def open_end_descriptor(process: Process) -> Iterator[int]:
    """Provide a descriptor that becomes readable at the end of the process, even while a grandchild holds its pipes."""
    descriptor = os.pidfd_open(process.pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def end_process_group(process: Process) -> None:
    """End the rest of the worker's process group: interrupt, wait, terminate, wait, kill."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if process.poll() is not None:
            break
        signal_process_group(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    # Even after a clean exit: others of its group may have outlived the leader.
    kill_process_group(process)


def kill_process_group(process: Process) -> None:
    """Kill a process with its group, and reap it."""
    signal_process_group(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):  # only its tracer may reap a process that has one
        process.wait(GRACE_S)


def signal_process_group(group: int, number: signal.Signals) -> None:
    """Send a signal to every process of a group that is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
