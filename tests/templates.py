"""Templates that the workers' tests fork their workers from, which saves an import each time, and their judges."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from orchestrator.execution.launchers.judges import Judges
from orchestrator.execution.launchers.template import Template, start_template
from orchestrator.execution.stop_requests import StopRequests
from orchestrator.execution.supervisor import Ending
from orchestrator.processes.descendants import adopt_orphans
from schemas.event import Event
from schemas.job import JobSpec

# By framework, module and variables. They are ended before other tests, which look for child processes.
STANDING: dict[tuple[object, ...], Template] = {}

JUDGES = Judges()

WAIT_S = 240


def fork_worker(spec: JobSpec, folder: str) -> tuple[int, bytes, str]:
    """Run a worker on a spec in a process that is forked from a template, as most jobs of a sweep are.

    Return its status, its output and its log. Its temporary files are in this folder.
    """
    key = (spec.cell.framework, spec.module, frozenset(spec.variables.items()))
    if key not in STANDING:
        STANDING[key] = start_template(Path(sys.executable), spec, ())
    with adopt_orphans(), tempfile.TemporaryFile() as log:
        process = STANDING[key].fork_job(spec.variables | {"TMPDIR": folder}, log)
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin, process.stdout:
            process.stdin.write(spec.model_dump_json().encode())
            process.stdin.close()
            output = process.stdout.read()
        status = process.wait(WAIT_S)
        log.seek(0)
        return status, output, log.read().decode(errors="replace")


def give_data(spec: JobSpec) -> JobSpec | Event:
    """Return the spec for a worker, with what a judge gives its job; or the failure of the job, if there is nothing."""
    given = JUDGES.provide_data(spec, Path(os.devnull), StopRequests())
    return given.events[-1] if isinstance(given, Ending) else given


def judge_events(spec: JobSpec, events: Sequence[Event]) -> Event:
    """Return the last event of a worker, after a judge has compared the results in the file that the spec names."""
    ending = Ending("ended", 0, tuple(events), wall_ns=1)
    return JUDGES.judge_job(spec, ending, Path(os.devnull), StopRequests()).events[-1]


def end_templates() -> None:
    """End all templates and judges."""
    JUDGES.close()
    while STANDING:
        STANDING.popitem()[1].end_process()
