"""`python -m workers`: one JobSpec as JSON on standard input, events on standard output, the rest in the log.

Whatever happens to the job, the last event says it: a Report, an Exported, a Profiled, or a Failure. The exit status is
0 as long as that could be said.
"""

import contextlib
import ctypes
import gc
import os
import platform
import sys
import traceback

from pydantic import ValidationError

from schemas.event import Exported, Failure, FailureOutcome, Hello, Profiled, Report
from schemas.job import JobSpec
from workers import job
from workers.channel import Channel
from workers.errors import Malformed, is_beside, is_out_of_memory, last_line, where
from workers.frameworks import Unsupported, Wrong
from workers.home import CodeChanged, folder_of
from workers.ledger import Ledger
from workers.lifeline import die_with
from workers.stopwatch import carry_out

TOLD = (Unsupported, Wrong, Malformed, CodeChanged)
"""What says in a sentence what is to be done."""


def main() -> None:
    """Claim the channel, read the spec, do the job, and leave without the interpreter's tear-down.

    Nothing that is measured happens in a tear-down, and a framework may hang or crash there.
    """
    channel, spec = Channel.claim(), None
    gc.freeze()  # or a framework's import, which collects garbage often, would be timed with going through all of ours
    die_with(int(os.environ.get("PLUMBLINE_PARENT", os.getppid())))
    try:
        spec = JobSpec.model_validate_json(sys.stdin.buffer.read())
        channel.send(Hello(pid=os.getpid(), python=platform.python_version(), interpreter=sys.executable))
        channel.send(done(spec, Ledger(channel.send)))
    except Exception as error:  # everything that a framework raises becomes the job's last event
        with contextlib.suppress(OSError):  # the disk that holds the log may be what is full
            traceback.print_exc()
        channel.send(Failure(outcome=outcome_of(error), reason=reason(error), where=place(error, spec)))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    ctypes.CDLL(None).fflush(None)
    os._exit(0)


def done(spec: JobSpec, ledger: Ledger) -> Report | Exported | Profiled:
    """Do what the spec asks for: a measurement, a file for other jobs, or a look at what a call is made of."""
    if spec.expect:
        from workers import referee

        return referee.run(spec, ledger)
    if spec.export:
        from workers import exporters

        return exporters.run(spec, ledger)
    if spec.profile:
        from workers import profilers

        return profilers.run(spec, ledger)
    return carry_out(job.run(spec, ledger))


def outcome_of(error: Exception) -> FailureOutcome:
    """What kind of failure an error is."""
    if isinstance(error, Unsupported):
        return "unsupported"
    if isinstance(error, Wrong):
        return "wrong"
    return "out-of-memory" if is_out_of_memory(error) else "raised"


def reason(error: Exception) -> str:
    """The error in one line."""
    if isinstance(error, TOLD):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and is_beside(str(error.name), error):
        return (
            f"{last_line(error)}; a file that lies beside this one is imported with a dot: from . import {error.name}"
        )
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"the worker cannot read its spec: {place}: {first['msg']}"
    return last_line(error)


def place(error: Exception, spec: JobSpec | None) -> str:
    """Where an error came from, in the workload if it came through it; a finding is no error of any line."""
    if isinstance(error, (Unsupported, Wrong, CodeChanged)):
        return ""
    home = folder_of(spec) if spec else None
    if spec is None or home is None:
        return where(error)
    own = [home / f"{name}.py" for name in (spec.cell.framework, "reference")]
    ours = (where(error), f"for {next((file for file in own if file.is_file()), home)}")
    return where(error, home) or ", ".join(filter(None, ours))


if __name__ == "__main__":
    main()
