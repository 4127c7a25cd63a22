"""Further processes of a cell that a worker starts, to answer requests beside it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Self

from pydantic import TypeAdapter

from schemas.base import Model
from schemas.companion import Answer, Ready, Round, Served
from schemas.event import Failure
from schemas.job import JobSpec

PROGRAM = Path(__file__).parents[1] / "start.py"
ANSWERS: TypeAdapter[Ready | Served | Failure] = TypeAdapter(Answer)

# A companion that is told to end has this long for it.
GRACE_S = 10.0


class CompanionFailed(Exception):
    """A further process of the cell has failed; the message says how."""


class Companion:
    """One further process of a cell. It belongs to the worker's process group, and ends with the worker."""

    def __init__(self, spec: JobSpec) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (this program builds every command)
            [sys.executable, "-P", str(PROGRAM), "accompany"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PLUMBLINE_PARENT": str(os.getpid())},
        )
        self.send_message(spec.model_copy(update={"results": ""}))

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def send_message(self, message: Model) -> None:
        """Send one message."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(message.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise CompanionFailed(self._describe_end()) from error

    def read_answer(self) -> Ready | Served:
        """Wait for its next answer.

        Raises:
            CompanionFailed: it has failed or ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise CompanionFailed(self._describe_end())
        answer = ANSWERS.validate_json(line)
        if isinstance(answer, Failure):
            raise CompanionFailed(f"another process of this cell failed: {answer.reason}")
        return answer

    def read_served(self, begin_ns: int) -> Served:
        """Wait for the answer to the round of this moment; that to an earlier one, which has failed, may be unread."""
        while True:
            answer = self.read_answer()
            if isinstance(answer, Served) and answer.begin_ns == begin_ns:
                return answer

    def end_process(self) -> None:
        """Let it end, and kill it if it does not."""
        for stream in (self._process.stdin, self._process.stdout):
            close_stream(stream)
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _describe_end(self) -> str:
        return f"another process of this cell ended with status {self._process.wait()}"


def close_stream(stream: IO[bytes] | None) -> None:
    """Close one end of a pipe, also if the other has gone with something unread."""
    if stream is not None:
        with suppress(BrokenPipeError):
            stream.close()


class Companions:
    """Several companions that start side by side, and end when the context is left."""

    def __init__(self, spec: JobSpec, count: int) -> None:
        self._spec, self._count, self._stack = spec, count, ExitStack()
        self._started: list[Companion] = []

    def __enter__(self) -> Self:
        """Start them, and wait until each is ready."""
        with self._stack:
            for _ in range(self._count):
                self._started.append(companion := Companion(self._spec))
                self._stack.callback(companion.end_process)
            for companion in self._started:
                companion.read_answer()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self._stack.close()

    @property
    def pids(self) -> Sequence[int]:
        """Return their process ids."""
        return [each.pid for each in self._started]

    def begin_round(self, count: int, begin_ns: int, threads: int = 0) -> Sequence[Companion]:
        """Tell the first `count` of them to begin at this moment, by so many threads, and return them."""
        chosen = self._started[:count]
        for companion in chosen:
            companion.send_message(Round(begin_ns=begin_ns, threads=threads))
        return chosen
