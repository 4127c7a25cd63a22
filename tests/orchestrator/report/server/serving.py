"""A real server of a folder of runs, started as a user starts it, and a client of a few lines."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

from tests.orchestrator.quick import TWO_MODES

# Jobs that start fresh take about a second.
SWEEP = f'seed = 3\nstart = "fresh"\n\n{TWO_MODES}\n[stop]\nblocks = {{blocks}}\nprecision = 0.0001\n'


@dataclass(frozen=True)
class Answer:
    """What the server answered, without following a redirection."""

    status: int
    headers: Message
    text: str


class StayPut(urllib.request.HTTPRedirectHandler):
    """Follows no redirection."""

    def redirect_request(self, *_: object) -> None:
        return None


@dataclass(frozen=True)
class Served:
    """A running server: its process, and the address that it printed."""

    process: subprocess.Popen[str]
    printed: str

    @property
    def address(self) -> str:
        return self.printed.partition("/?")[0]

    @property
    def port(self) -> int:
        return urlsplit(self.printed).port or 0

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.printed).query)["token"][0]

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"plumbline_token_{self.port}={self.token}"}

    def ask(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """Ask for a path, with the cookie of a visitor who has given the token unless other headers are given."""
        said = self.cookie if headers is None else headers
        request = urllib.request.Request(self.address + path, headers=dict(said), method=method)
        try:
            with urllib.request.build_opener(StayPut).open(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except HTTPError as error:
            return Answer(error.code, error.headers, error.read().decode())


@contextmanager
def serve(runs: Path, home: Path, port: int = 0) -> Iterator[Served]:
    """Serve a folder of runs, with its token kept in `home`, until the end of the block."""
    command = [sys.executable, "-m", "orchestrator", "serve", "--port", str(port), "--runs", str(runs)]
    environment = os.environ | {"PLUMBLINE_HOME": str(home)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield Served(process, process.stdout.readline().strip())
        finally:
            process.terminate()
            process.wait(30)
