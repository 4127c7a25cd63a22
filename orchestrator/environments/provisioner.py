"""Provisioner of missing environments: it resolves the requirements of all first, then makes each.

So nothing is begun if another environment's requirements cannot be met. The holder of an environment's lock makes it
in its final folder and writes its marker last. A folder without a marker is incomplete and is rebuilt.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from orchestrator.environments import installers, interpreters
from orchestrator.environments.cache import EnvironmentCache, EnvironmentFolder, hash_texts
from orchestrator.environments.definitions import EnvironmentDefinition
from orchestrator.environments.install_errors import explain_failure
from orchestrator.environments.installers import Command, Installer
from orchestrator.environments.interpreters import Interpreter
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

    definition: EnvironmentDefinition
    installer: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Delay while another process makes this environment."""

    definition: EnvironmentDefinition
    process: str


@dataclass(frozen=True, slots=True)
class Making:
    """Start of making an environment with this number of packages."""

    definition: EnvironmentDefinition
    installer: str
    packages: int


@dataclass(frozen=True, slots=True)
class Made:
    """Completion of an environment."""

    definition: EnvironmentDefinition
    ready: EnvironmentMarker


ProvisioningEvent = Resolving | Waiting | Making | Made


class Interrupted(Exception):
    """Interruption by a signal; nothing incomplete is left."""


@dataclass(frozen=True, slots=True)
class PlannedEnvironment:
    """Location of an environment, which need not exist. Without `pinned`, its requirements are not resolved yet."""

    definition: EnvironmentDefinition
    interpreter: Interpreter
    home: EnvironmentCache
    pinned: tuple[str, ...]

    @property
    def request_key(self) -> str:
        """Return the key of its requirements."""
        return hash_request(self.definition, self.interpreter)

    @property
    def place(self) -> EnvironmentFolder | None:
        """Return the folder for its resolution, this Python and this platform; None before it is resolved."""
        if not self.pinned:
            return None
        return self.home.locate_folder(self.definition.stem, hash_texts(*self.pinned, self.interpreter.identity))

    def read_marker(self) -> EnvironmentMarker | None:
        """Read the environment's marker, if it is complete."""
        return None if self.place is None else self.place.read_marker()


def hash_request(definition: EnvironmentDefinition, interpreter: Interpreter) -> str:
    """Hash an environment's requirements and its Python."""
    return hash_texts(*sorted(definition.all_requirements), interpreter.identity)


def locate_environment(definition: EnvironmentDefinition, home: EnvironmentCache) -> PlannedEnvironment:
    """Locate an environment. This starts a process only if it needs another Python than this program's."""
    interpreter = interpreters.find_interpreter(definition.python, definition.name)
    pinned = definition.pinned or home.read_resolution(definition.stem, hash_request(definition, interpreter))
    return PlannedEnvironment(definition, interpreter, home, pinned)


@dataclass(frozen=True, slots=True)
class Provisioner:
    """Maker of environments. It works in the main thread, while a watchdog guards all descendants."""

    home: EnvironmentCache
    installer: Installer
    interrupts: Interrupts
    publish: Callable[[ProvisioningEvent], None]

    def make_environments(self, sites: Sequence[PlannedEnvironment]) -> list[EnvironmentMarker]:
        """Make the missing environments, and return the markers of all.

        Raises:
            UsageError: one cannot be made.
            Interrupted: a signal came.
        """
        self.home.create_folders()
        resolved = [self.resolve_requirements(site) for site in sites]
        return [self._ensure_made(site) for site in resolved]

    def resolve_requirements(self, site: PlannedEnvironment) -> PlannedEnvironment:
        """Resolve the requirements of an environment, unless that is done.

        Raises:
            UsageError, Interrupted: as in `make_environments`.
        """
        if site.pinned:
            return site
        self.home.create_folders()
        definition = site.definition
        with self._hold_lock(self.home.locate_log(definition.stem).with_suffix(".lock"), definition):
            pinned = self.home.read_resolution(definition.stem, site.request_key) or self._run_resolution(site)
        return replace(site, pinned=pinned)

    def _run_resolution(self, site: PlannedEnvironment) -> tuple[str, ...]:
        definition, log = site.definition, self.home.locate_log(site.definition.stem)
        self.publish(Resolving(definition, self.installer.name))
        log.unlink(missing_ok=True)
        with make_temporary_folder() as folder:
            asked, answer, scratch = (folder / name for name in ("asked.txt", "answer", "scratch"))
            # An empty environment: packages that are installed would not appear in a resolution.
            asked.write_text("\n".join(definition.all_requirements))
            self._run_command(installers.make_venv_command(site.interpreter.path, scratch), definition, log)
            self._run_command(
                self.installer.make_resolve_command(scratch.joinpath("bin", "python"), asked, answer), definition, log
            )
            pinned = self.installer.read_resolution(answer)
        self.home.write_resolution(definition.stem, site.request_key, pinned)
        log.unlink()
        return pinned

    def _ensure_made(self, site: PlannedEnvironment) -> EnvironmentMarker:
        place = site.place
        assert place is not None
        if (ready := place.read_marker()) is not None:
            return ready
        with self._hold_lock(place.lock, site.definition) as descriptor:
            # The previous holder of the lock may have made it.
            if (ready := place.read_marker()) is not None:
                return ready
            try:
                return self._make_environment(site, place, descriptor)
            finally:
                if place.read_marker() is None:
                    place.remove_files()

    @contextmanager
    def _hold_lock(self, path: Path, definition: EnvironmentDefinition) -> Iterator[int]:
        """Hold a lock exclusively once it is free, and yield its descriptor."""
        told = False
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    held = stack.enter_context(lock.hold_exclusive(path, str(os.getpid())))
                    break
                except lock.LockHeld as error:
                    if not told:
                        self.publish(Waiting(definition, str(error) or "unknown"))
                        told = True
                time.sleep(LOCK_RETRY_S)
                self._check_interrupt()
            yield held.descriptor

    def _make_environment(
        self, site: PlannedEnvironment, place: EnvironmentFolder, descriptor: int
    ) -> EnvironmentMarker:
        definition, start = site.definition, time.monotonic()
        self.publish(Making(definition, self.installer.name, len(site.pinned)))
        place.remove_files()
        place.log.unlink(missing_ok=True)
        # The commands inherit the lock, which lasts until they end, even if this process is killed.
        self._run_command(
            installers.make_venv_command(site.interpreter.path, place.folder), definition, place.log, descriptor
        )
        place.requirements_file.write_text("\n".join(site.pinned))
        self._run_command(
            self.installer.make_install_command(place.python, place.requirements_file),
            definition,
            place.log,
            descriptor,
        )
        found = interpreters.inspect_interpreter(place.python, ())
        ready = EnvironmentMarker(
            name=definition.name,
            asked=definition.all_requirements,
            resolved=site.pinned,
            environment=found.record,
            modules=tuple(sorted(found.modules)),
            base=str(site.interpreter.path),
            installer=self.installer.name,
            made=datetime.now().astimezone().isoformat(timespec="seconds"),
            took_s=round(time.monotonic() - start, 1),
            size_bytes=place.measure_bytes(),
        )
        place.write_marker(ready)
        self.publish(Made(definition, ready))
        return ready

    def _run_command(self, command: Command, definition: EnvironmentDefinition, log: Path, *keep: int) -> None:
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
            why = explain_failure(log.read_text(errors="replace"), definition.name, status)
            raise UsageError(f"the environment {definition.name} cannot be made: {why}; the installer's log is {log}")

    def _check_interrupt(self) -> None:
        if self.interrupts.received is not None:
            raise Interrupted


def make_provisioner(
    home: EnvironmentCache, interrupts: Interrupts, publish: Callable[[ProvisioningEvent], None]
) -> Provisioner:
    """Make a provisioner with this machine's installer.

    Raises:
        UsageError: it has none.
    """
    return Provisioner(home, installers.choose_installer(), interrupts, publish)
