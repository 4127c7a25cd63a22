"""Provisioner of missing environments: it resolves the requirements of all first, then makes each.

So nothing is begun if another environment's requirements cannot be met. The holder of an environment's lock makes it
in its final folder and writes its marker last. A folder without a marker is incomplete and is rebuilt.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from orchestrator import lock, supervise
from orchestrator.environments import installers, interpreters
from orchestrator.environments.definitions import Definition
from orchestrator.environments.failures import explained
from orchestrator.environments.home import Home, Place, key
from orchestrator.environments.installers import Command, Installer
from orchestrator.environments.interpreters import Interpreter
from orchestrator.errors import UsageError
from orchestrator.interrupts import Interrupts
from schemas.environment import Ready

# Time between two attempts at a lock that another process holds.
PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Resolving:
    """Start of resolving an environment's requirements."""

    definition: Definition
    installer: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Delay while another process makes this environment."""

    definition: Definition
    process: str


@dataclass(frozen=True, slots=True)
class Making:
    """Start of making an environment with this number of packages."""

    definition: Definition
    installer: str
    packages: int


@dataclass(frozen=True, slots=True)
class Made:
    """Completion of an environment."""

    definition: Definition
    ready: Ready


Event = Resolving | Waiting | Making | Made


class Interrupted(Exception):
    """Interruption by a signal; nothing incomplete is left."""


@dataclass(frozen=True, slots=True)
class Site:
    """Location of an environment, which need not exist. Without `pinned`, its requirements are not resolved yet."""

    definition: Definition
    interpreter: Interpreter
    home: Home
    pinned: tuple[str, ...]

    @property
    def request(self) -> str:
        """Return the key of its requirements."""
        return request(self.definition, self.interpreter)

    @property
    def place(self) -> Place | None:
        """Return the folder for its resolution, this Python and this platform; None before it is resolved."""
        if not self.pinned:
            return None
        return self.home.place(self.definition.stem, key(*self.pinned, self.interpreter.identity))

    def ready(self) -> Ready | None:
        """Read the environment's marker, if it is complete."""
        return None if self.place is None else self.place.ready()


def request(definition: Definition, interpreter: Interpreter) -> str:
    """Hash an environment's requirements and its Python."""
    return key(*sorted(definition.asked), interpreter.identity)


def survey(definition: Definition, home: Home) -> Site:
    """Locate an environment. This starts a process only if it needs another Python than this program's."""
    interpreter = interpreters.find(definition.python, definition.name)
    pinned = definition.pinned or home.resolved(definition.stem, request(definition, interpreter))
    return Site(definition, interpreter, home, pinned)


@dataclass(frozen=True, slots=True)
class Workshop:
    """Maker of environments. It works in the main thread, while a watchdog guards all descendants."""

    home: Home
    installer: Installer
    interrupts: Interrupts
    publish: Callable[[Event], None]

    def make(self, sites: Sequence[Site]) -> list[Ready]:
        """Make the missing environments, and return the markers of all.

        Raises:
            UsageError: one cannot be made.
            Interrupted: a signal came.
        """
        self.home.prepare()
        resolved = [self.resolve(site) for site in sites]
        return [self._made(site) for site in resolved]

    def resolve(self, site: Site) -> Site:
        """Resolve the requirements of an environment, unless that is done.

        Raises:
            UsageError, Interrupted: as in `make_environments`.
        """
        if site.pinned:
            return site
        self.home.prepare()
        definition = site.definition
        with self._alone(self.home.log(definition.stem).with_suffix(".lock"), definition):
            pinned = self.home.resolved(definition.stem, site.request) or self._resolve(site)
        return replace(site, pinned=pinned)

    def _resolve(self, site: Site) -> tuple[str, ...]:
        definition, log = site.definition, self.home.log(site.definition.stem)
        self.publish(Resolving(definition, self.installer.name))
        log.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
            asked, answer, scratch = (Path(folder).joinpath(name) for name in ("asked.txt", "answer", "scratch"))
            # An empty environment: packages that are installed would not appear in a resolution.
            asked.write_text("\n".join(definition.asked))
            self._run(installers.make(site.interpreter.path, scratch), definition, log)
            self._run(self.installer.resolve(scratch.joinpath("bin", "python"), asked, answer), definition, log)
            pinned = self.installer.resolved(answer)
        self.home.keep(definition.stem, site.request, pinned)
        log.unlink()
        return pinned

    def _made(self, site: Site) -> Ready:
        place = site.place
        assert place is not None
        if (ready := place.ready()) is not None:
            return ready
        with self._alone(place.lock, site.definition) as descriptor:
            # The previous holder of the lock may have made it.
            if (ready := place.ready()) is not None:
                return ready
            try:
                return self._make(site, place, descriptor)
            finally:
                if place.ready() is None:
                    place.clear()

    @contextmanager
    def _alone(self, path: Path, definition: Definition) -> Iterator[int]:
        """Hold a lock exclusively once it is free, and yield its descriptor."""
        told = False
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    held = stack.enter_context(lock.held(path, str(os.getpid())))
                    break
                except lock.Held as error:
                    if not told:
                        self.publish(Waiting(definition, str(error) or "unknown"))
                        told = True
                time.sleep(PAUSE_S)
                self._heed()
            yield held.descriptor

    def _make(self, site: Site, place: Place, descriptor: int) -> Ready:
        definition, start = site.definition, time.monotonic()
        self.publish(Making(definition, self.installer.name, len(site.pinned)))
        place.clear()
        place.log.unlink(missing_ok=True)
        # The commands inherit the lock, which lasts until they end, even if this process is killed.
        self._run(installers.make(site.interpreter.path, place.folder), definition, place.log, descriptor)
        place.pinned.write_text("\n".join(site.pinned))
        self._run(self.installer.install(place.python, place.pinned), definition, place.log, descriptor)
        found = interpreters.contents(place.python, ())
        ready = Ready(
            name=definition.name,
            asked=definition.asked,
            resolved=site.pinned,
            environment=found.record,
            modules=tuple(sorted(found.modules)),
            base=str(site.interpreter.path),
            installer=self.installer.name,
            made=datetime.now().astimezone().isoformat(timespec="seconds"),
            took_s=round(time.monotonic() - start, 1),
            size_bytes=place.size_bytes(),
        )
        place.finish(ready)
        self.publish(Made(definition, ready))
        return ready

    def _run(self, command: Command, definition: Definition, log: Path, *keep: int) -> None:
        """Run one command of an installer. After a signal, none of its processes is left.

        Raises:
            UsageError: it failed.
            Interrupted: a signal came.
        """
        self._heed()
        with supervise.opened(log, supervise.MORE) as file:
            file.write(f"$ {' '.join(command)}\n".encode())
        status = supervise.complete(command, self.installer.variables, log, interrupts=self.interrupts, keep=keep)
        self._heed()
        if status:
            why = explained(log.read_text(errors="replace"), definition.name, status)
            raise UsageError(f"the environment {definition.name} cannot be made: {why}; the installer's log is {log}")

    def _heed(self) -> None:
        if self.interrupts.received is not None:
            raise Interrupted


def workshop(home: Home, interrupts: Interrupts, publish: Callable[[Event], None]) -> Workshop:
    """Make a provisioner with this machine's installer.

    Raises:
        UsageError: it has none.
    """
    return Workshop(home, installers.here(), interrupts, publish)
