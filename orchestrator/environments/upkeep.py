"""Maintenance of the environments made here: their names, their removal and their checks."""

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

# All built-in environments fit into this space.
ROOMY_BYTES = 8 << 30


@dataclass(frozen=True, slots=True)
class Removed:
    """Result of a removal. `busy`: the environment is in use, and stays."""

    place: Place
    size_bytes: int
    busy: bool


def names() -> list[str]:
    """Return the names of all definitions, and of all environments that were made and are complete."""
    made = (place.ready() for place in Environments().home.places())
    return list(dict.fromkeys([*Definitions().every(), *sorted(ready.name for ready in made if ready)]))


def superseded(environments: Environments) -> Iterator[Place]:
    """Yield environments that are incomplete, or whose name now means another Python or other packages.

    An environment that only a sweep file names stays.
    """
    for place in environments.home.places():
        ready = place.ready()
        try:
            due = environments.find(ready.name).site if ready else None
        except UsageError:
            # A name that only a sweep file defines is unknown here.
            continue
        if ready is None or (due is not None and due.place != place):
            yield place


def of(environments: Environments, wanted: Iterable[str]) -> Iterator[Place]:
    """Yield the folders of these environments, and remove the resolutions of their requirements.

    Raises:
        UsageError: no environment has such a name.
    """
    for name in wanted:
        site = environments.find(name).site
        if site is None:
            raise UsageError(f"{name} was not made here; remove it yourself")
        environments.home.resolution(site.definition.stem, site.request).unlink(missing_ok=True)
        if site.place is not None and site.place.folder.exists():
            yield site.place


def remove(places: Iterable[Place]) -> Iterator[Removed]:
    """Remove environments one after the other, except those in use."""
    for place in places:
        size = place.size_bytes()
        try:
            with lock.held(place.lock, str(os.getpid())):
                # The lock file stays: a process that waits for it must find the same file as all others.
                place.clear()
                place.log.unlink(missing_ok=True)
            yield Removed(place, size, busy=False)
        except lock.Held:
            yield Removed(place, size, busy=True)


def examine(home: Home, variables: Mapping[str, str]) -> list[Finding]:
    """Check that environments can be made here, and that the existing ones are unchanged."""
    return [*room(home), *installer(variables), *pythons(), *definitions(), *(sound(place) for place in home.places())]


def room(home: Home) -> Iterator[Finding]:
    """Check that there is a writable folder with enough space."""
    try:
        home.prepare()
    except UsageError as error:
        yield unfit("home", f"{error}.", "Set PLUMBLINE_HOME to a folder that you may write to.")
        return
    free = shutil.disk_usage(home.root).free
    what = f"Environments are kept in {home.root}, where {free >> 30} GiB are free."
    if free < ROOMY_BYTES:
        yield warning("home", what, "Free some space, or set PLUMBLINE_HOME to another folder.")
    else:
        yield fine("home", what)


def installer(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Check which installer is found, and which of the user's settings it obeys. Their values may hold secrets."""
    try:
        found, said = installers.here(variables), settings.of_pip(variables, settings.Places())
    except UsageError as error:
        yield unfit("installer", f"{error}.", "Correct this: without an installer no environment can be made.")
        return
    obeyed = f" and obeys pip's configuration for {', '.join(sorted(said))}" if said else ""
    yield fine("installer", f"{found.name} installs packages{obeyed}.")


def pythons() -> Iterator[Finding]:
    """Check which versions of Python an environment may request."""
    (major, first), (_, last) = interpreters.SUPPORTED
    found, missing = list[str](), list[str]()
    for minor in range(first, last + 1):
        version = f"{major}.{minor}"
        try:
            interpreters.by_version(version, version)
            found.append(version)
        except UsageError:
            missing.append(version)
    what = f"An environment may request Python {', '.join(found)}"
    if missing:
        advice = "Install a missing version that an environment needs, or name its interpreter by path."
        yield note("pythons", f"{what}; not found: {', '.join(missing)}.", advice)
    else:
        yield fine("pythons", f"{what}.")


def definitions() -> Iterator[Finding]:
    """Check that every definition is valid."""
    try:
        every = Definitions().every()
    except UsageError as error:
        yield unfit("definitions", f"{error}.", "Correct the file.")
        return
    for name in every:
        try:
            Definitions().find(name)
        except UsageError as error:
            yield warning("definitions", f"{error}.", "Correct this definition, or use another environment.")


def sound(place: Place) -> Finding:
    """Check that an environment is unchanged since it was made."""
    about, ready = f"environment {place.folder.name}", place.ready()
    if ready is None:
        advice = "It is rebuilt when it is needed; `env prune` removes it."
        return note(about, f"{place.folder} is incomplete, or the Python that it was made with is gone.", advice)
    again = f"`env prune {ready.name}` removes it; it is then rebuilt when it is needed."
    try:
        found = interpreters.contents(place.python, ())
    except UsageError as error:
        return warning(about, f"{ready.name}: {error}.", again)
    if changed := list(identity.changed({ready.name: ready.environment}, {ready.name: found.record})):
        return warning(about, f"Changed since it was made: {changed[0]}.", again)
    size = f"{len(ready.resolved)} packages, {ready.size_bytes >> 20} MiB"
    return fine(about, f"{ready.name} is unchanged since it was made: {size}.")
