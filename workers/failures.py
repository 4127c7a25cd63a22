"""The last event of a job that fails: the outcome, the reason in one line, and the place in the user's code."""

import os
import sys
from pathlib import Path

from pydantic import ValidationError

from schemas.event import Breach, Failure, FailureOutcome
from schemas.job import JobSpec
from workers.errors import (
    Malformed,
    Unsupported,
    Wrong,
    is_out_of_memory,
    is_sibling_module,
    locate_error,
    summarise_error,
)
from workers.obstacles import explain_obstacle
from workers.problem.location import CodeChanged, find_source_dir

# Errors whose message already tells the user what to do; they are reported without their type.
SELF_EXPLANATORY = (Unsupported, Wrong, Malformed, CodeChanged)

# Errors of a workload's code that every other job with it would repeat.
FINAL_ERRORS = (Malformed, SyntaxError, ImportError)


def make_failure(error: Exception, spec: JobSpec | None) -> Failure:
    """Make the event of a job that an error has ended; without a spec, it could not be read."""
    where = locate_failure(error, spec)
    return Failure(
        outcome=classify_failure(error),
        reason=describe_failure(error, spec),
        where=where,
        breach=find_breach(error, where, spec),
    )


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
