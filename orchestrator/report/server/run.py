"""The start and the end of the server: its address, and the signals that stop it."""

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import uvicorn

from orchestrator.errors import UsageError
from orchestrator.processes.signals import call_on_signals
from orchestrator.report.server.app import make_app
from orchestrator.report.server.guard import load_token
from orchestrator.report.server.library import Library

# This machine alone. From another one, a tunnel leads here, and has its own password.
HOST: Final = "127.0.0.1"
# An open page holds its connection, and must not hold up the end.
GRACE_S: Final = 1


def serve_runs(root: Path, port: int, cache: Path, announce: Callable[[str], None]) -> None:
    """Serve the runs of a folder until a signal ends it. `announce` is told the address, once it answers.

    Raises:
        UsageError: there is no such folder, or the port is taken.
    """
    if not root.is_dir():
        raise UsageError(f"there is no folder {root}; name the one that holds the runs with --runs")
    token = load_token(cache)
    config = uvicorn.Config(
        make_app(Library(root), token, lambda: server.should_exit),
        access_log=False,
        log_level="error",
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    with closing(open_socket(port)) as opened, call_on_signals(stop):
        announce(f"http://{HOST}:{opened.getsockname()[1]}/?token={token}")
        server.run(sockets=[opened])


def open_socket(port: int) -> socket.socket:
    """Return a socket that listens at a port of this machine; 0 is any free port.

    Raises:
        UsageError: the port is taken, or may not be used.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen()
    except OSError as error:
        opened.close()
        raise UsageError(f"cannot serve at port {port}: {error.strerror}; choose another with --port") from error
    return opened
