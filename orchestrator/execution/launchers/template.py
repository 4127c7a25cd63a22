"""One template: an interpreter that has imported a framework, and forks a process for each job, or becomes one."""

import array
import os
import selectors
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.execution.launchers.worker_command import make_command, make_variables, omit_folder
from orchestrator.processes.process import ForkedProcess, Process, kill_process_group, open_log, start_process
from orchestrator.processes.signals import Interrupts
from schemas.job import JobSpec
from schemas.template import MAX_PACKET_BYTES, Forked, ForkRequest, TemplateReady, TemplateSpec

# A fork takes milliseconds.
FORK_DEADLINE_S = 20.0

ENDED = "its template has ended"

Answer = TypeVar("Answer", bound=BaseModel)


class NoTemplate(Exception):
    """A job cannot be forked and starts in a fresh interpreter; the message says why."""


@dataclass(slots=True)
class Template:
    """A template that has been started. Its readiness is awaited before its first fork.

    A parked one forks nothing, and becomes the first job that is asked of it.
    """

    process: Process
    control: socket.socket
    deadline_s: float
    is_parked: bool = False
    started_s: float = field(default_factory=time.monotonic)
    ready: TemplateReady | None = None

    def await_ready(self, interrupts: Interrupts | None = None) -> TemplateReady:
        """Wait until it has imported its framework, and return its answer.

        Raises:
            NoTemplate: it has ended, or takes too long, or a signal came first.
        """
        if self.ready is None:
            left_s = self.started_s + self.deadline_s - time.monotonic()
            self.ready = self._receive(TemplateReady, max(0.0, left_s), interrupts)
        return self.ready

    def fork_job(self, variables: Mapping[str, str], log: IO[bytes]) -> Process:
        """Fork the process of a job, or make it one, with these further environment variables and this log.

        A template that does not answer is ended: each further job would wait for it, and it could fork one later.

        Raises:
            NoTemplate: it cannot.
        """
        try:
            return self._make_job(variables, log)
        except NoTemplate:
            self._kill_process()
            raise

    def _make_job(self, variables: Mapping[str, str], log: IO[bytes]) -> Process:
        if obstacle := self.await_ready().obstacle:
            raise NoTemplate(obstacle)
        with ExitStack() as theirs, ExitStack() as ours:
            (their_input, our_input), (our_output, their_output) = os.pipe(), os.pipe()
            theirs.callback(os.close, their_input)
            theirs.callback(os.close, their_output)
            stdin = ours.enter_context(os.fdopen(our_input, "wb", buffering=0))
            stdout = ours.enter_context(os.fdopen(our_output, "rb", buffering=0))
            self._request_job(variables, (their_input, their_output, log.fileno()))
            job = self.process if self.is_parked else self._receive_forked(stdin, stdout)
            ours.pop_all()  # they stay open for the job
        job.stdin, job.stdout = stdin, stdout
        return job

    def end_process(self) -> None:
        """End it; the jobs that it has forked live on."""
        self.control.close()
        self._kill_process()

    def _kill_process(self) -> None:
        if self.process.returncode is None:  # else its number may be another process's by now
            kill_process_group(self.process)

    def _request_job(self, variables: Mapping[str, str], streams: Sequence[int]) -> None:
        packet = ForkRequest(variables=dict(variables)).model_dump_json().encode()
        try:
            self.control.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))])
        except OSError as error:
            raise NoTemplate(ENDED) from error
        finally:
            if self.is_parked:
                self.control.close()

    def _receive_forked(self, stdin: IO[bytes], stdout: IO[bytes]) -> Process:
        return ForkedProcess(self._receive(Forked, FORK_DEADLINE_S).pid, stdin, stdout)

    def _receive(self, kind: type[Answer], wait_s: float, interrupts: Interrupts | None = None) -> Answer:
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            if interrupts is not None:
                selector.register(interrupts, selectors.EVENT_READ)
            ready = {key.fileobj for key, _ in selector.select(wait_s)}
        if self.control not in ready:
            raise NoTemplate("its template did not answer in time")
        try:
            return kind.model_validate_json(self.control.recv(MAX_PACKET_BYTES))
        except (OSError, ValidationError) as error:
            raise NoTemplate(ENDED) from error


def start_template(python: Path | None, spec: JobSpec, cores: Sequence[int], *, is_parked: bool = False) -> Template:
    """Start a template for jobs like this one, which imports its framework on these cores."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, open_log(Path(os.devnull)) as quiet:
        command = make_command(python, str(theirs.fileno()))
        variables = make_variables(os.environ, omit_folder(spec))
        process = start_process(command, variables, stdout=quiet, stderr=quiet, keep=[theirs.fileno()])
    asked = TemplateSpec(framework=spec.cell.framework, module=spec.module, cpus=tuple(cores), parked=is_parked)
    ours.send(asked.model_dump_json().encode())
    return Template(process, ours, spec.deadline_s, is_parked)
