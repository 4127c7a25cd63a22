"""An orchestrator with a watchdog, for tests that kill it: it prints the process id of its job's daemon."""

import sys
from functools import partial
from pathlib import Path

from orchestrator.execution import supervisor
from orchestrator.processes.descendants import guard_descendants
from orchestrator.processes.process import start_process
from schemas.event import Event, Failure

DAEMON = [sys.executable, "-I", "-S", str(Path(__file__).with_name("daemon.py")), "wait", *sys.argv[2:]]


def show(event: Event) -> None:
    if isinstance(event, Failure):
        print(event.reason, flush=True)


with guard_descendants():
    start = partial(start_process, DAEMON, {})
    supervisor.run(start, b"", Path(sys.argv[1]) / "log", deadline_s=60, on_event=show)
