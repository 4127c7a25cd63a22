"""Maintenance of the environments made here: their names, their removal and their checks."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.environments import installers, interpreters, pip_config
from orchestrator.environments.cache import (
    EnvironmentCache,
    find_python,
    locate_lock,
    locate_log,
    measure_bytes,
    read_marker,
    remove_environment,
)
from orchestrator.environments.definitions import EnvironmentDefinitions
from orchestrator.environments.lookup import Environments
from orchestrator.errors import UsageError
from orchestrator.files import lock
from orchestrator.machine.findings import Finding, report_fine, report_note, report_unfit, report_warning
from orchestrator.machine.interpreter_probe import SUPPORTED_PYTHONS
from orchestrator.records import provenance

# All built-in environments fit into this space.
ENOUGH_FREE_BYTES = 8 << 30


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """Result of a removal. `busy`: the environment is in use, and stays."""

    folder: Path
    size_bytes: int
    busy: bool


def list_names() -> list[str]:
    """Return the names of all definitions, and of all environments that were made and are complete."""
    made = map(read_marker, Environments().cache.list_folders())
    return list(dict.fromkeys([*EnvironmentDefinitions().list_all(), *sorted(ready.name for ready in made if ready)]))


def find_superseded(environments: Environments) -> Iterator[Path]:
    """Yield environments that are incomplete, or whose name now means another Python or other packages.

    An environment that only a sweep file names stays.
    """
    for folder in environments.cache.list_folders():
        ready = read_marker(folder)
        try:
            due = environments.inspect(ready.name) if ready else None
        except UsageError:
            # A name that only a sweep file defines is unknown here.
            continue
        if due is None or (due.definition is not None and due.folder != folder):
            yield folder


def select_folders(environments: Environments, wanted: Iterable[str]) -> Iterator[Path]:
    """Yield the folders of these environments, and remove the resolutions of their requirements.

    Raises:
        UsageError: no environment has such a name.
    """
    for name in wanted:
        found = environments.inspect(name)
        if found.definition is None:
            raise UsageError(f"{name} was not made here; remove it yourself")
        environments.cache.locate_resolution(found.definition.stem, found.request_key).unlink(missing_ok=True)
        if found.folder is not None and found.folder.exists():
            yield found.folder


def remove_environments(folders: Iterable[Path]) -> Iterator[RemovalResult]:
    """Remove environments one after the other, except those in use."""
    for folder in folders:
        # Measured without the lock, because a sweep that starts meanwhile would be refused this environment.
        size = measure_bytes(folder)
        try:
            with lock.hold_exclusive(locate_lock(folder), str(os.getpid())):
                # The lock file stays: a process that waits for it must find the same file as all others.
                remove_environment(folder)
                locate_log(folder).unlink(missing_ok=True)
            yield RemovalResult(folder, size, busy=False)
        except lock.LockHeld:
            yield RemovalResult(folder, size, busy=True)


def examine_environments(cache: EnvironmentCache, variables: Mapping[str, str]) -> list[Finding]:
    """Check that environments can be made here, and that the existing ones are unchanged."""
    return [
        *check_folder(cache),
        *check_installer(variables),
        *check_pythons(),
        *check_definitions(),
        *map(check_environment, cache.list_folders()),
    ]


def check_folder(cache: EnvironmentCache) -> Iterator[Finding]:
    """Check that there is a writable folder with enough space."""
    try:
        cache.create_folders()
    except UsageError as error:
        yield report_unfit("home", f"{error}.", "Set PLUMBLINE_HOME to a folder that you may write to.")
        return
    free = shutil.disk_usage(cache.root).free
    what = f"Environments are kept in {cache.root}, where {free >> 30} GiB are free."
    if free < ENOUGH_FREE_BYTES:
        yield report_warning("home", what, "Free some space, or set PLUMBLINE_HOME to another folder.")
    else:
        yield report_fine("home", what)


def check_installer(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Check which installer is chosen, and which of pip's settings it obeys. Their values may hold secrets."""
    try:
        found, said = (
            installers.choose_installer(variables),
            pip_config.read_pip_settings(variables, pip_config.ConfigFolders()),
        )
    except UsageError as error:
        yield report_unfit("installer", f"{error}.", "Correct this: without an installer no environment can be made.")
        return
    obeyed = f" and obeys pip's configuration for {', '.join(sorted(said))}" if said and found.name == "pip" else ""
    yield report_fine("installer", f"{found.name} installs packages{obeyed}.")


def check_pythons() -> Iterator[Finding]:
    """Check which versions of Python an environment may request."""
    (major, first), (_, last) = SUPPORTED_PYTHONS
    found, missing = list[str](), list[str]()
    for minor in range(first, last + 1):
        version = f"{major}.{minor}"
        try:
            interpreters.find_by_version(version, version)
            found.append(version)
        except UsageError:
            missing.append(version)
    what = f"An environment may request Python {', '.join(found)}"
    if missing:
        advice = "Install a missing version that an environment needs, or name its interpreter by path."
        yield report_note("pythons", f"{what}; not found: {', '.join(missing)}.", advice)
    else:
        yield report_fine("pythons", f"{what}.")


def check_definitions() -> Iterator[Finding]:
    """Check that every definition is valid."""
    try:
        every = EnvironmentDefinitions().list_all()
    except UsageError as error:
        yield report_unfit("definitions", f"{error}.", "Correct the file.")
        return
    for name in every:
        try:
            EnvironmentDefinitions().find(name)
        except UsageError as error:
            yield report_warning("definitions", f"{error}.", "Correct this definition, or use another environment.")


def check_environment(folder: Path) -> Finding:
    """Check that an environment is unchanged since it was made."""
    about, ready = f"environment {folder.name}", read_marker(folder)
    if ready is None:
        advice = "It is rebuilt when it is needed; `env prune` removes it."
        return report_note(about, f"{folder} is incomplete, or the Python that it was made with is gone.", advice)
    again = f"`env prune {ready.name}` removes it; it is then rebuilt when it is needed."
    try:
        found, _ = interpreters.inspect_interpreter(find_python(folder), ())
    except UsageError as error:
        return report_warning(about, f"{ready.name}: {error}.", again)
    if changed := list(provenance.find_changed_environments({ready.name: ready.environment}, {ready.name: found})):
        return report_warning(about, f"Changed since it was made: {changed[0]}.", again)
    size = f"{len(ready.resolved)} packages, {ready.size_bytes >> 20} MiB"
    return report_fine(about, f"{ready.name} is unchanged since it was made: {size}.")
