"""Which Python an environment is made with, and what an interpreter that is not ours says of itself."""

import functools
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator import probe, supervise
from orchestrator.errors import UsageError
from schemas.environment import EnvironmentRecord

SUPPORTED = ((3, 11), (3, 13))
"""The first and the last version that everything here works with."""

ANSWER_S = 60.0
VERSION = re.compile(r"3\.([0-9]{1,3})(\.[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python with which environments are made. `identity` is its build, ABI and platform in one text."""

    path: Path
    identity: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What can be found beside an interpreter."""

    record: EnvironmentRecord
    modules: frozenset[str]


@functools.cache
def ours() -> Interpreter:
    """The one that runs this program; if it stands in an environment, the one that this was made with."""
    return Interpreter(Path(getattr(sys, "_base_executable", sys.executable)), probe.identity())


@functools.cache
def current() -> EnvironmentRecord:
    """The environment in which this program runs."""
    return record(sys.executable, platform.python_version(), probe.distributions())


def record(interpreter: str, python: str, found: Mapping[str, Sequence[str]]) -> EnvironmentRecord:
    """An environment of these distributions, each with its version and its hash."""
    packages = {name: version for name, (version, _) in found.items()}
    installed = {name: digest for name, (_, digest) in found.items() if digest}
    said = json.dumps([python, packages, installed], sort_keys=True)
    return EnvironmentRecord(
        interpreter=interpreter,
        python=python,
        packages=packages,
        installed=installed,
        freeze=hashlib.sha256(said.encode()).hexdigest()[:16],
    )


def contents(python: Path, names: Sequence[str]) -> Contents:
    """Ask an interpreter what is installed beside it; of these packages, also if it is not by an installer.

    Raises:
        UsageError: it does not answer, or is of a version that cannot run a worker.
    """
    said = ask(python, names)
    if said is None:
        raise UsageError(f"{python} is no interpreter of Python that answers; name another one")
    supported(str(python), said["python"])
    return Contents(record(str(python), said["python"], said["distributions"]), frozenset(said["modules"]))


def supported(what: str, version: str) -> None:
    """Refuse a Python that is too old or too new.

    Raises:
        UsageError: it is.
    """
    major, minor, *_ = (int(part) for part in re.findall(r"[0-9]+", version))
    if not SUPPORTED[0] <= (major, minor) <= SUPPORTED[1]:
        window = " to ".join(".".join(map(str, end)) for end in SUPPORTED)
        raise UsageError(f"{what} is Python {version}, and workers need {window}; name another one")


def ask(python: Path, names: Sequence[str] = ()) -> dict[str, Any] | None:
    """What an interpreter answers to the probe; None if it is none."""
    with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
        answer, log = (Path(folder).joinpath(name) for name in ("answer", "log"))
        command = [str(python), "-I", probe.__file__, *names]
        try:
            status = supervise.complete(command, os.environ, log, output=answer, deadline_s=ANSWER_S)
            said = json.loads(answer.read_text()) if status == 0 else None
        except (OSError, ValueError):
            return None
    return said if isinstance(said, dict) else None


def find(asked: str, name: str) -> Interpreter:
    """The interpreter that an environment asks for: by a path, by a version, or ours.

    Raises:
        UsageError: there is none.
    """
    if not asked:
        return ours()
    if os.sep in asked:
        path = Path(asked).expanduser().absolute()
        said = ask(path)
        if said is None:
            raise UsageError(f"the environment {name}: {path} is no interpreter of Python that answers")
        supported(f"the environment {name}: {path}", said["python"])
        return Interpreter(path, said["identity"])
    if not VERSION.fullmatch(asked):
        raise UsageError(f"the environment {name}: {asked!r} is no version of Python; write it as in 3.12")
    supported(f"the environment {name}: what it asks for", asked)
    return by_version(asked, name)


def by_version(version: str, name: str) -> Interpreter:
    """The first of that version among ours, uv's, and those on the PATH; `3.12` is any 3.12.

    Raises:
        UsageError: there is none.
    """
    if fits(sys.version.split()[0], version):
        return ours()
    for path in candidates(version):
        said = ask(path)
        if said is not None and fits(said["python"], version):
            return Interpreter(path, said["identity"])
    raise UsageError(
        f"the environment {name} asks for Python {version}, which neither uv nor the PATH has; install it, or name its "
        "interpreter by its path"
    )


def fits(found: str, version: str) -> bool:
    """Whether a version is the one that is asked for, or one of it."""
    return found == version or found.startswith(f"{version}.")


def candidates(version: str) -> Iterator[Path]:
    """Interpreters that may be of that version. What a shim on the PATH stands for may not be there."""
    if uv := shutil.which("uv"):
        with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
            answer, log = (Path(folder).joinpath(name) for name in ("answer", "log"))
            command = [uv, "python", "find", "--no-project", version]
            if supervise.complete(command, os.environ, log, output=answer, deadline_s=ANSWER_S) == 0:
                yield Path(answer.read_text().strip())
    minor = ".".join(version.split(".")[:2])
    for folder_name in os.environ.get("PATH", "").split(os.pathsep):
        path = Path(folder_name).joinpath(f"python{minor}")
        if path.is_file():
            yield path
