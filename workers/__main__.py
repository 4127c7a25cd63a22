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

from pydantic import ValidationError

from schemas.event import Breach, Exported, Failure, FailureOutcome, Hello, Profiled, Report
from schemas.job import ComputeReference, Export, JobSpec, Measure, Profile
from workers.channel import Channel
from workers.errors import (
    Malformed,
    Unsupported,
    Wrong,
    is_out_of_memory,
    is_sibling_module,
    locate_error,
    summarise_error,
)
from workers.measurement.phases import Ledger
from workers.measurement.stopwatch import carry_out
from workers.obstacles import explain_obstacle
from workers.parent_death import die_with_parent
from workers.problem.location import CodeChanged, find_source_dir
from workers.tasks import measure

# Errors whose message already tells the user what to do; they are reported without their type.
SELF_EXPLANATORY = (Unsupported, Wrong, Malformed, CodeChanged)

# Errors of a workload's code that every other job with it would repeat.
FINAL_ERRORS = (Malformed, SyntaxError, ImportError)


def main() -> None:
    """Claim the channel, read the spec, run the job, and exit without the interpreter's tear-down.

    Nothing is measured in a tear-down, and a framework may hang or crash there.
    """
    channel, spec = Channel.claim(), None
    gc.freeze()  # a framework's import collects garbage often, and must not be timed scanning the worker's objects
    die_with_parent(int(os.environ.get("PLUMBLINE_PARENT", os.getppid())))
    try:
        spec = JobSpec.model_validate_json(sys.stdin.buffer.read())
        channel.send(Hello(pid=os.getpid(), python=platform.python_version(), interpreter=sys.executable))
        channel.send(dispatch_job(spec, Ledger(channel.send)))
    except Exception as error:  # whatever a framework raises becomes the job's last event
        with contextlib.suppress(OSError):  # the disk with the log may be full
            traceback.print_exc()
        where = locate_failure(error, spec)
        channel.send(
            Failure(
                outcome=classify_failure(error),
                reason=describe_failure(error, spec),
                where=where,
                breach=find_breach(error, where, spec),
            )
        )
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


def classify_failure(error: Exception) -> FailureOutcome:
    """Classify an error as one of the outcomes of a failed job."""
    if isinstance(error, Unsupported):
        return "unsupported"
    if isinstance(error, Wrong):
        return "wrong"
    return "out-of-memory" if is_out_of_memory(error) else "raised"


def find_breach(error: Exception, where: str, spec: JobSpec | None) -> Breach:
    """Return the part of a user's workload that every other job of the same task would fail with, too."""
    if spec is None or not (spec.source_dir or spec.package) or not isinstance(error, FINAL_ERRORS):
        return ""
    return "reference" if Path(where.partition(":")[0]).name == "reference.py" else "implementation"


def describe_failure(error: Exception, spec: JobSpec | None = None) -> str:
    """Describe an error in one line, with the remedy if it is known."""
    model = spec.model if spec and not isinstance(error, (Malformed, Wrong, CodeChanged)) else None
    if model and (known := explain_obstacle(error, Path(model.folder))):
        return known
    if isinstance(error, SELF_EXPLANATORY):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and is_sibling_module(str(error.name), error):
        return f"{summarise_error(error)}; import a file in the same folder with a dot: from . import {error.name}"
    if isinstance(error, ModuleNotFoundError) and spec is not None and error.name:
        return f"{summarise_error(error)}; {describe_missing_package(error.name.partition('.')[0], spec)}"
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"the worker cannot read its spec: {place}: {first['msg']}"
    return summarise_error(error)


def describe_missing_package(package: str, spec: JobSpec) -> str:
    """Name the environment that lacks a package, and what adds it there."""
    name = spec.cell.environment
    if name == "current" or os.sep in name:
        return f"add it to this environment: {sys.executable} -m pip install {package}"
    return (
        f"the environment {name} has no package {package}: add it to `requirements` under [environments.{name}] in the "
        "sweep file or in environments.toml, or choose an environment that has it with --env"
    )


def locate_failure(error: Exception, spec: JobSpec | None) -> str:
    """Return file and line of an error, in the workload if it passed through there; empty for a finding."""
    if isinstance(error, (Unsupported, Wrong, CodeChanged)):
        return ""
    if spec is not None and spec.model is not None:
        return locate_error(error, Path(spec.model.folder)) or locate_error(error)
    source_dir = find_source_dir(spec) if spec else None
    if spec is None or source_dir is None:
        return locate_error(error)
    own = [source_dir / f"{name}.py" for name in (spec.cell.framework, "reference")]
    ours = (locate_error(error), f"for {next((file for file in own if file.is_file()), source_dir)}")
    return locate_error(error, source_dir) or ", ".join(filter(None, ours))


if __name__ == "__main__":
    main()
