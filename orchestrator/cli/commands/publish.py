"""`publish`: a run for others to check."""

import getpass
import socket
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from orchestrator.cli.output import print_json, print_line
from orchestrator.export.publication.publish import publish_run
from orchestrator.format import to_printable
from orchestrator.processes.signals import postpone_signals
from orchestrator.records import store
from schemas.base import SCHEMA_VERSION


def run_publish(root: Path, name: str, to: Path, *, with_code: bool, as_json: bool) -> None:
    """Write a run's publication, and print its folder."""
    place = store.find_run(root, name)
    with postpone_signals():
        made = publish_run(place, to, list_names(place.folder), datetime.now(UTC), with_code=with_code)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "run": place.name, "publication": str(made)})
    else:
        print_line(Console(), to_printable(str(made)))


def list_names(run: Path) -> list[str]:
    """Return the names of this user and this machine, and the folders that lead to a run."""
    try:
        user = [getpass.getuser()]
    except (ImportError, KeyError, OSError):  # a user without an entry in the system's list
        user = []
    machine = socket.gethostname()
    folders = (Path.home(), Path.cwd(), run.resolve())
    return [*user, Path.home().name, machine, machine.partition(".")[0], *map(str, folders)]
