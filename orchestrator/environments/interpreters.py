"""Interpreters for environments, and the answers of foreign ones to the probe."""

import functools
import hashlib
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.errors import UsageError
from orchestrator.machine import interpreter_probe
from orchestrator.machine.interpreter_probe import SUPPORTED_PYTHONS
from orchestrator.processes import process
from orchestrator.processes.descendants import make_temporary_folder
from orchestrator.processes.signals import postpone_signals
from schemas.environment import EnvironmentRecord

# A file that is not an interpreter may never answer.
PROBE_TIMEOUT_S = 60.0
PYTHON_VERSION = re.compile(r"3\.([0-9]{1,3})(\.[0-9]{1,3})?")


@functools.cache
def find_base_interpreter() -> tuple[Path, str]:
    """Return the interpreter of this program, or the one behind it if that is a virtual environment's, and its build.

    The build tells version, ABI and platform in one text.
    """
    return Path(getattr(sys, "_base_executable", sys.executable)), interpreter_probe.describe_build()


@functools.cache
def describe_current() -> EnvironmentRecord:
    """Describe the environment in which this program runs."""
    return make_record(sys.executable, platform.python_version(), interpreter_probe.list_distributions())


def make_record(interpreter: str, python: str, found: Mapping[str, Sequence[str]]) -> EnvironmentRecord:
    """Describe an environment by its distributions, each with its version and hash."""
    packages = {name: version for name, (version, _) in found.items()}
    installed = {name: digest for name, (_, digest) in found.items() if digest}
    # Without the interpreter's path: equal environments in two places must have the same hash.
    said = json.dumps([python, packages, installed], sort_keys=True)
    return EnvironmentRecord(
        interpreter=interpreter,
        python=python,
        packages=packages,
        installed=installed,
        freeze=hashlib.sha256(said.encode()).hexdigest()[:16],
    )


def inspect_interpreter(python: Path, names: Sequence[str]) -> tuple[EnvironmentRecord, frozenset[str]]:
    """Ask an interpreter for its packages and its modules: of these, also those without a distribution.

    Raises:
        UsageError: it does not answer, or its version cannot run a worker.
    """
    said = ask_probe(python, names)
    if said is None:
        raise UsageError(f"{python} does not answer as a Python interpreter; name another one")
    check_supported(str(python), said["python"])
    return make_record(str(python), said["python"], said["distributions"]), frozenset(said["modules"])


def check_supported(what: str, version: str) -> None:
    """Check that a Python is neither too old nor too new.

    Raises:
        UsageError: it is.
    """
    major, minor, *_ = (int(part) for part in re.findall(r"[0-9]+", version))
    if not SUPPORTED_PYTHONS[0] <= (major, minor) <= SUPPORTED_PYTHONS[1]:
        window = " to ".join(".".join(map(str, end)) for end in SUPPORTED_PYTHONS)
        raise UsageError(f"{what} is Python {version}, and workers need {window}; name another one")


def ask_probe(python: Path, names: Sequence[str] = ()) -> dict[str, Any] | None:
    """Return an interpreter's answer to the probe; None if there is none."""
    # -I ignores PYTHONPATH, which would add packages from elsewhere.
    text = read_output([str(python), "-I", interpreter_probe.__file__, *names])
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def read_output(command: Sequence[str]) -> str:
    """Run a program that may never end, and return its standard output; empty if it fails or cannot be started."""
    with postpone_signals() as interrupts, make_temporary_folder() as folder:
        answer, log = folder.joinpath("answer"), folder.joinpath("log")
        try:
            status = process.run_to_completion(
                command, os.environ, log, output=answer, interrupts=interrupts, deadline_s=PROBE_TIMEOUT_S
            )
            return answer.read_text() if status == 0 else ""
        except (OSError, ValueError):
            return ""


def find_known_interpreter(asked: str, name: str) -> tuple[Path, str] | None:
    """Return this program's interpreter and its build, if an environment asks for it; None: another must be found.

    Raises:
        UsageError: the environment asks for something else than a version that workers support, or a path.
    """
    if os.sep in asked:
        return None
    if asked and not PYTHON_VERSION.fullmatch(asked):
        raise UsageError(f"the environment {name}: {asked!r} is not a Python version; write it as in 3.12")
    if asked:
        check_supported(f"the environment {name}: the requested version", asked)
    return find_base_interpreter() if not asked or matches_version(platform.python_version(), asked) else None


def find_interpreter(asked: str, name: str) -> tuple[Path, str]:
    """Find the interpreter for an environment, and its build: by a path, by a version, or this program's.

    Raises:
        UsageError: there is none.
    """
    if (known := find_known_interpreter(asked, name)) is not None:
        return known
    if os.sep not in asked:
        return find_by_version(asked, name)
    path = Path(asked).expanduser().absolute()
    said = ask_probe(path)
    if said is None:
        raise UsageError(f"the environment {name}: {path} does not answer as a Python interpreter")
    check_supported(f"the environment {name}: {path}", said["python"])
    return path, said["identity"]


def find_by_version(version: str, name: str) -> tuple[Path, str]:
    """Find a version and its build: in this program, in uv's interpreters, then on the PATH; `3.12` is any 3.12.

    Raises:
        UsageError: there is none.
    """
    if matches_version(platform.python_version(), version):
        return find_base_interpreter()
    for path in list_candidates(version):
        said = ask_probe(path)
        if said is not None and matches_version(said["python"], version):
            return path, said["identity"]
    raise UsageError(
        f"the environment {name} asks for Python {version}, which neither uv nor the PATH has; install it, or name its "
        "interpreter by its path"
    )


def matches_version(found: str, version: str) -> bool:
    """Return True if a version is the requested one, or a release of it."""
    return found == version or found.startswith(f"{version}.")


def list_candidates(version: str) -> Iterator[Path]:
    """Yield interpreters that may have that version. A shim on the PATH may stand for a missing one."""
    # A project in the current folder must not influence uv's choice.
    if (uv := shutil.which("uv")) and (found := read_output([uv, "python", "find", "--no-project", version]).strip()):
        yield Path(found)
    minor = ".".join(version.split(".")[:2])
    for folder_name in os.environ.get("PATH", "").split(os.pathsep):
        path = Path(folder_name).joinpath(f"python{minor}")
        if path.is_file():
            yield path
