"""`python -m workers`: one JobSpec as JSON on standard input, events on standard output, the rest in the log.

The last event states how the job ended: a Report, an Exported, a Profiled or a Failure. The exit status is 0 whenever
that event could be sent.
"""

import contextlib
import ctypes
import gc
import os
import platform
import sys
import traceback
from pathlib import Path

from schemas.event import Exported, Hello, Profiled, Report
from schemas.job import ComputeReference, Export, JobSpec, Measure, Profile
from workers.failures import make_failure
from workers.measurement.phases import Ledger
from workers.measurement.stopwatch import carry_out
from workers.process.channel import Channel
from workers.process.parent_death import die_with_parent
from workers.tasks import measure


def main(*, is_forked: bool = False) -> None:
    """Claim the channel, read the spec, run the job, and exit without the interpreter's tear-down.

    Nothing is measured in a tear-down, and a framework may hang or crash there. A process that was forked from a
    template has imported its framework already.
    """
    channel, spec = Channel.claim(), None
    if not is_forked:
        gc.freeze()  # a framework's import collects garbage often, and must not be timed scanning the worker's objects
    die_with_parent(int(os.environ.get("PLUMBLINE_PARENT", os.getppid())))
    try:
        spec = JobSpec.model_validate_json(sys.stdin.buffer.read())
        if spec.sandbox:
            from workers.process.sandbox import protect_from_job

            protect_from_job(spec)
        channel.send(Hello(pid=os.getpid(), python=platform.python_version(), interpreter=sys.executable))
        result = dispatch_job(spec, Ledger(channel.send, reads_memory=spec.start == "fresh"))
        channel.send(result.model_copy(update={"forked": True}) if is_forked else result)
    except Exception as error:  # whatever a framework raises becomes the job's last event
        with contextlib.suppress(OSError):  # the disk with the log may be full
            traceback.print_exc()
        channel.send(make_failure(error, spec))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    ctypes.CDLL(None).fflush(None)  # `os._exit` would discard what C code has buffered
    os._exit(0)


def dispatch_job(spec: JobSpec, ledger: Ledger) -> Report | Exported | Profiled:
    """Run the task that serves the purpose of the job."""
    if spec.model is not None and spec.model.test is not None:
        from workers.tasks import in_test

        return in_test.run(spec, ledger)
    match spec.purpose:
        case Measure():
            return carry_out(measure.run(spec, ledger))
        case Export(path=path):
            from workers.tasks import export

            return export.run(spec, Path(path), ledger)
        case Profile(path=path):
            from workers.tasks import profile

            return profile.run(spec, Path(path), ledger)
        case ComputeReference(path=path):
            from workers.tasks import reference

            return reference.run(spec, Path(path), ledger)


if __name__ == "__main__":
    main()
