"""Provisioner of missing environments: it resolves the requirements of all first, then makes each.

So nothing is begun before each environment has a resolution, or a reason why it has none. The holder of a lock makes it
in its final folder and writes its marker last. A folder without a marker is incomplete and is rebuilt.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from packaging.requirements import Requirement

from orchestrator.environments import installers, interpreters
from orchestrator.environments.cache import (
    EnvironmentCache,
    find_python,
    locate_lock,
    locate_log,
    measure_bytes,
    read_marker,
    remove_environment,
    write_marker,
)
from orchestrator.environments.definitions import BUILT_IN, VERSION_SIGN, EnvironmentDefinitions
from orchestrator.environments.environment import Environment
from orchestrator.environments.install_errors import describe_absence, explain_failure, list_versions
from orchestrator.environments.installers import Command, Installer
from orchestrator.errors import UsageError
from orchestrator.files import lock
from orchestrator.processes.descendants import make_temporary_folder
from orchestrator.processes.process import APPEND_FLAGS, open_log, run_to_completion
from orchestrator.processes.signals import Interrupts
from schemas.environment import EnvironmentMarker

# Time between two attempts at a lock that another process holds.
LOCK_RETRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Resolving:
    """Start of resolving an environment's requirements."""

    environment: Environment
    installer: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Delay while another process makes this environment."""

    environment: Environment
    process: str


@dataclass(frozen=True, slots=True)
class Making:
    """Start of making an environment with this number of packages."""

    environment: Environment
    installer: str
    packages: int


@dataclass(frozen=True, slots=True)
class Made:
    """Completion of an environment."""

    environment: Environment
    ready: EnvironmentMarker


ProvisioningEvent = Resolving | Waiting | Making | Made


class Interrupted(Exception):
    """Interruption by a signal; nothing incomplete is left."""


@dataclass(frozen=True, slots=True)
class Provisioner:
    """Maker of environments. It works in the main thread, while a watchdog guards all descendants."""

    cache: EnvironmentCache
    installer: Installer
    interrupts: Interrupts
    publish: Callable[[ProvisioningEvent], None]
    has_gpu: bool = False

    def make_environments(
        self, environments: Sequence[Environment], failures: dict[str, str] | None = None
    ) -> list[Environment]:
        """Make the missing ones among these environments, whose interpreters are known, and return all as made.

        Those that cannot be made are named in `failures`, each with the reason.

        Raises:
            UsageError: one cannot be made, and there is no such dictionary.
            Interrupted: a signal came.
        """
        self.cache.create_folders()
        for step in (self.resolve_requirements, self._check_build, self._ensure_made):
            environments = list(complete_step(step, environments, failures))
        return list(environments)

    def resolve_requirements(self, environment: Environment) -> Environment:
        """Resolve the requirements of an environment, unless that is done.

        Raises:
            UsageError, Interrupted: as in `make_environments`.
        """
        if environment.pinned:
            return environment
        self.cache.create_folders()
        log = self.cache.locate_resolution_log(environment.stem)
        with self._hold_lock(log.with_suffix(".lock"), environment):
            pinned = self.cache.read_resolution(environment.stem, environment.request_key)
            return environment.pin_versions(pinned or self._run_resolution(environment, log), self.cache)

    def _run_resolution(self, environment: Environment, log: Path) -> tuple[str, ...]:
        self.publish(Resolving(environment, self.installer.name))
        log.unlink(missing_ok=True)
        with make_temporary_folder() as folder:
            asked, answer, scratch = (folder / name for name in ("asked.txt", "answer", "scratch"))
            # An empty environment: packages that are installed would not appear in a resolution.
            asked.write_text("\n".join(environment.requirements))
            self._run_command(installers.make_venv_command(environment.base, scratch), environment, log)
            python = find_python(scratch)
            try:
                self._run_command(self.installer.make_resolve_command(python, asked, answer), environment, log)
            except UsageError as error:
                raise self._find_absent_version(environment, python, log) or error from None
            pinned = self.installer.read_resolution(answer)
        self.cache.write_resolution(environment.stem, environment.request_key, pinned)
        # Only the log of a failure is of use, and its error message names it.
        log.unlink()
        return pinned

    def _find_absent_version(self, environment: Environment, python: Path, log: Path) -> UsageError | None:
        """Return the error that the version in an environment's name does not exist; None: it does, or nobody knows."""
        asked = Requirement(environment.requirements[0]) if VERSION_SIGN in environment.name else None
        command = self.installer.make_versions_command(python, asked.name) if asked else None
        if asked is None or command is None:
            return None
        with make_temporary_folder() as folder:
            listed = folder.joinpath("versions")
            run_to_completion(command, self.installer.variables, log, output=listed, interrupts=self.interrupts)
            self._check_interrupt()
            versions = list_versions(listed.read_text(errors="replace"))
        if not versions or any(asked.specifier.contains(version, prereleases=True) for version in versions):
            return None
        why = describe_absence(f"{asked.name}{asked.specifier}", versions)
        return UsageError(f"the environment {environment.name} cannot be made: {why}; the installer's log is {log}")

    def _check_build(self, environment: Environment) -> Environment:
        """Check that a version that must be installed is not a build for a GPU that is not there.

        The default versions are installed all the same: an index may have no other build, and their line says so.
        """
        assert environment.definition is not None
        packages = environment.cuda_packages
        if environment.record or self.has_gpu or not packages:
            return environment
        if environment.definition.origin != BUILT_IN or VERSION_SIGN not in environment.name:
            return environment
        others = f" and {len(packages) - 1} more such packages" if len(packages) > 1 else ""
        raise UsageError(
            f"the environment {environment.name} would be a CUDA build, with {packages[0]}{others}, and this machine "
            f"has no NVIDIA GPU; add an index with CPU builds to the settings of {self.installer.name}, as PyTorch "
            "has one, or define an environment of this name, which is installed as you define it"
        )

    def _ensure_made(self, environment: Environment) -> Environment:
        folder = environment.folder
        assert folder is not None
        if read_marker(folder) is not None:
            return environment.read_contents()
        with self._hold_lock(locate_lock(folder), environment) as descriptor:
            try:
                # The previous holder of the lock may have made it.
                if read_marker(folder) is None:
                    self._make_environment(environment, folder, descriptor)
            finally:
                if read_marker(folder) is None:
                    remove_environment(folder)
        return environment.read_contents()

    @contextmanager
    def _hold_lock(self, path: Path, environment: Environment) -> Iterator[int]:
        """Hold a lock exclusively once it is free, and yield its descriptor."""
        told = False
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    held = stack.enter_context(lock.hold_exclusive(path, str(os.getpid())))
                    break
                except lock.LockHeld as error:
                    if not told:
                        self.publish(Waiting(environment, str(error) or "unknown"))
                        told = True
                # Polling: a blocking flock() would be resumed after a signal, and Ctrl-C would have no effect.
                time.sleep(LOCK_RETRY_S)
                self._check_interrupt()
            yield held.descriptor

    def _make_environment(self, environment: Environment, folder: Path, descriptor: int) -> None:
        start, log = time.monotonic(), locate_log(folder)
        self.publish(Making(environment, self.installer.name, len(environment.pinned)))
        remove_environment(folder)
        log.unlink(missing_ok=True)
        # The commands inherit the lock, which lasts until they end, even if this process is killed.
        self._run_command(installers.make_venv_command(environment.base, folder), environment, log, descriptor)
        requirements = folder.joinpath("requirements.txt")
        requirements.write_text("\n".join(environment.pinned))
        python = find_python(folder)
        self._run_command(self.installer.make_install_command(python, requirements), environment, log, descriptor)
        # Before the marker: an interpreter that does not start must not count as complete.
        record, modules = interpreters.inspect_interpreter(python, ())
        ready = EnvironmentMarker(
            name=environment.name,
            asked=environment.requirements,
            resolved=environment.pinned,
            environment=record,
            modules=tuple(sorted(modules)),
            base=environment.base,
            installer=self.installer.name,
            made=datetime.now().astimezone().isoformat(timespec="seconds"),
            took_s=round(time.monotonic() - start, 1),
            size_bytes=measure_bytes(folder),
        )
        write_marker(folder, ready)
        self.publish(Made(environment, ready))

    def _run_command(self, command: Command, environment: Environment, log: Path, *keep: int) -> None:
        """Run one command of an installer. After a signal, none of its processes is left.

        Raises:
            UsageError: it failed.
            Interrupted: a signal came.
        """
        self._check_interrupt()
        with open_log(log, APPEND_FLAGS) as file:
            file.write(f"$ {' '.join(command)}\n".encode())
        # Gigabytes of unpacked packages would stay in the user's temporary folder if the installer were killed.
        with make_temporary_folder() as folder:
            variables = {**self.installer.variables, "TMPDIR": str(folder)}
            status = run_to_completion(command, variables, log, interrupts=self.interrupts, keep=keep)
        self._check_interrupt()
        if status:
            why = explain_failure(log.read_text(errors="replace"), environment.name, status)
            raise UsageError(f"the environment {environment.name} cannot be made: {why}; the installer's log is {log}")

    def _check_interrupt(self) -> None:
        if self.interrupts.received is not None:
            raise Interrupted


def make_provisioner(
    cache: EnvironmentCache, interrupts: Interrupts, publish: Callable[[ProvisioningEvent], None]
) -> Provisioner:
    """Make a provisioner with this machine's installer.

    Raises:
        UsageError: it has none.
    """
    return Provisioner(cache, installers.choose_installer(), interrupts, publish, EnvironmentDefinitions().has_gpu)


def complete_step(
    step: Callable[[Environment], Environment], environments: Iterable[Environment], failures: dict[str, str] | None
) -> Iterator[Environment]:
    """Yield each environment after this step; note those for which it fails in `failures`, or raise if that is None."""
    for environment in environments:
        try:
            yield step(environment)
        except UsageError as error:
            if failures is None:
                raise
            failures[environment.name] = str(error)
