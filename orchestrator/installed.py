"""Catalog entries that installed distributions add to ours, by entry points.

An entry point loads to the entry alone, which names a module that a worker can import; so it has to stand in a module
that imports no framework.
"""

from collections.abc import Iterable, Mapping
from importlib import metadata
from types import MappingProxyType
from typing import TypeVar

from orchestrator.errors import UsageError
from schemas.catalog import Framework
from schemas.workloads import Workload

Entry = TypeVar("Entry", Framework, Workload)


def beside(ours: Iterable[Entry], points: Iterable[metadata.EntryPoint], kind: type[Entry]) -> Mapping[str, Entry]:
    """Our own entries by name, and those of these entry points in the order of their names.

    Raises:
        UsageError: what a distribution adds is no such entry, or one whose name is taken.
    """
    found = {entry.name: entry for entry in ours}
    for point in sorted(points, key=lambda point: point.name):
        added = load(point, kind)
        if added.name in found:
            raise UsageError(f"{origin(point)} adds a {called(kind)} {added.name}, a name that is taken; uninstall it")
        found[added.name] = added
    return MappingProxyType(found)


def load(point: metadata.EntryPoint, kind: type[Entry]) -> Entry:
    """The catalog entry of one entry point."""
    try:
        added = point.load()
    except Exception as error:  # whatever a stranger's module raises when it is imported
        raise UsageError(
            f"{origin(point)} adds a {called(kind)} that cannot be loaded: {error}; uninstall it"
        ) from error
    if not isinstance(added, kind) or not added.module:
        raise UsageError(f"{origin(point)}: {point.value} is no {called(kind)} that names a module; uninstall it")
    return added


def called(kind: type[Framework] | type[Workload]) -> str:
    """What a person calls such an entry."""
    return kind.__name__.lower()


def origin(point: metadata.EntryPoint) -> str:
    """The distribution that an entry point belongs to."""
    return f"the distribution {point.dist.name}" if point.dist else f"the entry point {point.name}"
