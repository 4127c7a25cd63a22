"""Makes the environments that a sweep needs and that are not there: first all are resolved, then each is made.

So nothing is begun that another one's requirements would stop. An environment is made where it will stay, by whoever
holds its lock, and its marker is written last: what has no marker is nobody's, and is made anew.
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

PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Resolving:
    """It is being worked out what an environment's requirements come to."""

    definition: Definition
    installer: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another process is making this environment."""

    definition: Definition
    process: str


@dataclass(frozen=True, slots=True)
class Making:
    """An environment is being made of so many packages."""

    definition: Definition
    installer: str
    packages: int


@dataclass(frozen=True, slots=True)
class Made:
    """An environment is whole."""

    definition: Definition
    ready: Ready


Event = Resolving | Waiting | Making | Made


class Interrupted(Exception):
    """A signal came; nothing half made is left."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where an environment is, or will be. Without `pinned` its requirements have not been resolved yet."""

    definition: Definition
    interpreter: Interpreter
    home: Home
    pinned: tuple[str, ...]

    @property
    def request(self) -> str:
        """The key of what was asked."""
        return request(self.definition, self.interpreter)

    @property
    def place(self) -> Place | None:
        """The place that belongs to what the requirements came to, this Python and this platform."""
        if not self.pinned:
            return None
        return self.home.place(self.definition.stem, key(*self.pinned, self.interpreter.identity))

    def ready(self) -> Ready | None:
        """What the environment is, if it is there."""
        return None if self.place is None else self.place.ready()


def request(definition: Definition, interpreter: Interpreter) -> str:
    """The key of what was asked, and for which Python."""
    return key(*sorted(definition.asked), interpreter.identity)


def survey(definition: Definition, home: Home) -> Site:
    """See where an environment is. Nothing is started unless it needs another Python than ours."""
    interpreter = interpreters.find(definition.python, definition.name)
    pinned = definition.pinned or home.resolved(definition.stem, request(definition, interpreter))
    return Site(definition, interpreter, home, pinned)


@dataclass(frozen=True, slots=True)
class Workshop:
    """What makes environments. Call it from the main thread while a watchdog is set (`family.guarded`)."""

    home: Home
    installer: Installer
    interrupts: Interrupts
    publish: Callable[[Event], None]

    def make(self, sites: Sequence[Site]) -> list[Ready]:
        """Make those that are not there; what each is.

        Raises:
            UsageError: one cannot be made, and why.
            Interrupted: a signal came.
        """
        self.home.prepare()
        resolved = [self.resolve(site) for site in sites]
        return [self._made(site) for site in resolved]

    def resolve(self, site: Site) -> Site:
        """Work out what an environment's requirements come to, unless that is known.

        Raises:
            UsageError, Interrupted: as in `make`.
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
            if (ready := place.ready()) is not None:
                return ready
            try:
                return self._make(site, place, descriptor)
            finally:
                if place.ready() is None:
                    place.clear()

    @contextmanager
    def _alone(self, path: Path, definition: Definition) -> Iterator[int]:
        """Hold a lock as soon as nobody else does. Gives its descriptor."""
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
        """One step of an installer, in the middle of which nobody is left.

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
    """A workshop with the installer of this machine.

    Raises:
        UsageError: there is none.
    """
    return Workshop(home, installers.here(), interrupts, publish)
