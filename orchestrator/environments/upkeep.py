"""What is there of the environments that were made here, what of it may go, and whether it is sound."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator import identity, lock
from orchestrator.doctor import Finding, fine, note, unfit, warning
from orchestrator.environments import Environments, installers, interpreters, settings
from orchestrator.environments.definitions import Definitions
from orchestrator.environments.home import Home, Place
from orchestrator.errors import UsageError

ROOMY_BYTES = 8 << 30
"""Free space that is enough for all built-in environments."""


@dataclass(frozen=True, slots=True)
class Removed:
    """One environment that was to go. `busy`: it is in use, and stays."""

    place: Place
    size_bytes: int
    busy: bool


def names() -> list[str]:
    """Every environment that is defined here, and every one that was made and is still what its name means."""
    made = (place.ready() for place in Environments().home.places())
    return list(dict.fromkeys([*Definitions().every(), *sorted(ready.name for ready in made if ready)]))


def superseded(environments: Environments) -> Iterator[Place]:
    """Environments that are not whole, and those whose name now means another Python or other packages.

    One that only a sweep file names stays.
    """
    for place in environments.home.places():
        ready = place.ready()
        try:
            due = environments.find(ready.name).site if ready else None
        except UsageError:
            continue
        if ready is None or (due is not None and due.place != place):
            yield place


def of(environments: Environments, wanted: Iterable[str]) -> Iterator[Place]:
    """The places of these environments; what their requirements came to is forgotten as well.

    Raises:
        UsageError: there is no environment of such a name.
    """
    for name in wanted:
        site = environments.find(name).site
        if site is None:
            raise UsageError(f"{name} was not made here, and is nobody's to remove but yours")
        environments.home.resolution(site.definition.stem, site.request).unlink(missing_ok=True)
        if site.place is not None and site.place.folder.exists():
            yield site.place


def remove(places: Iterable[Place]) -> Iterator[Removed]:
    """Remove environments, one after the other, except those in use."""
    for place in places:
        size = place.size_bytes()
        try:
            with lock.held(place.lock, str(os.getpid())):
                place.clear()
                place.log.unlink(missing_ok=True)
            yield Removed(place, size, busy=False)
        except lock.Held:
            yield Removed(place, size, busy=True)


def examine(home: Home, variables: Mapping[str, str]) -> list[Finding]:
    """Whether environments can be made here, and whether those that were made are what they were."""
    return [*room(home), *installer(variables), *pythons(), *definitions(), *(sound(place) for place in home.places())]


def room(home: Home) -> Iterator[Finding]:
    """Whether there is a folder that can be written to, and space."""
    try:
        home.prepare()
    except UsageError as error:
        yield unfit("home", f"{error}.", "Name a folder of yours in PLUMBLINE_HOME.")
        return
    free = shutil.disk_usage(home.root).free
    what = f"Environments are kept in {home.root}, where {free >> 30} GiB are free."
    if free < ROOMY_BYTES:
        yield warning("home", what, "Make room, or name another folder in PLUMBLINE_HOME.")
    else:
        yield fine("home", what)


def installer(variables: Mapping[str, str]) -> Iterator[Finding]:
    """What would install packages, and which of the user's settings it obeys. Their values may hold secrets."""
    try:
        found, said = installers.here(variables), settings.of_pip(variables, settings.Places())
    except UsageError as error:
        yield unfit("installer", f"{error}.", "Put that right: without it no environment can be made.")
        return
    obeyed = f"; from pip's configuration it knows {', '.join(sorted(said))}" if said else ""
    yield fine("installer", f"{found.name} installs packages{obeyed}.")


def pythons() -> Iterator[Finding]:
    """Which versions of Python an environment may ask for."""
    (major, first), (_, last) = interpreters.SUPPORTED
    found, missing = list[str](), list[str]()
    for minor in range(first, last + 1):
        version = f"{major}.{minor}"
        try:
            interpreters.by_version(version, version)
            found.append(version)
        except UsageError:
            missing.append(version)
    what = f"An environment may ask for Python {', '.join(found)}"
    if missing:
        advice = "Install one if an environment is to have it, or name an interpreter by its path."
        yield note("pythons", f"{what}; not found: {', '.join(missing)}.", advice)
    else:
        yield fine("pythons", f"{what}.")


def definitions() -> Iterator[Finding]:
    """Whether every definition can be understood."""
    try:
        every = Definitions().every()
    except UsageError as error:
        yield unfit("definitions", f"{error}.", "Put that right in the file.")
        return
    for name in every:
        try:
            Definitions().find(name)
        except UsageError as error:
            yield warning("definitions", f"{error}.", "Put that right, or do without this environment.")


def sound(place: Place) -> Finding:
    """Whether an environment is still what it was when it was made."""
    about, ready = f"environment {place.folder.name}", place.ready()
    if ready is None:
        advice = "It is made anew when it is needed; `env prune` removes it."
        return note(about, f"{place.folder} is not whole, or the Python that it was made with has gone.", advice)
    again = f"`env prune {ready.name}` removes it; it is then made anew when it is needed."
    try:
        found = interpreters.contents(place.python, ())
    except UsageError as error:
        return warning(about, f"{ready.name}: {error}.", again)
    if changed := list(identity.changed({ready.name: ready.environment}, {ready.name: found.record})):
        return warning(about, f"Somebody has changed it since it was made: {changed[0]}.", again)
    return fine(about, f"{ready.name} is as it was made: {len(ready.resolved)} packages, {ready.size_bytes >> 20} MiB.")
