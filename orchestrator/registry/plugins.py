"""Catalog entries that installed distributions add by entry points.

An entry point loads to the entry alone, which names a module that a worker can import. The entry must therefore stand
in a module that imports no framework.
"""

from collections.abc import Iterable, Mapping
from importlib import metadata
from types import MappingProxyType
from typing import TypeVar

from orchestrator.errors import UsageError
from schemas.catalog import Framework
from schemas.workloads import Workload

Entry = TypeVar("Entry", Framework, Workload)


def merge_entries(
    ours: Iterable[Entry], points: Iterable[metadata.EntryPoint], kind: type[Entry]
) -> Mapping[str, Entry]:
    """Merge the built-in entries with those of these entry points, in the order of their names.

    Raises:
        UsageError: a distribution adds something else, or an entry whose name is taken.
    """
    found = {entry.name: entry for entry in ours}
    for point in sorted(points, key=lambda point: point.name):
        added = load_entry(point, kind)
        if added.name in found:
            raise UsageError(
                f"{describe_origin(point)} adds a {format_kind(kind)} {added.name}, "
                "but that name is taken; uninstall it"
            )
        found[added.name] = added
    return MappingProxyType(found)


def load_entry(point: metadata.EntryPoint, kind: type[Entry]) -> Entry:
    """Load the catalog entry of one entry point."""
    try:
        added = point.load()
    except Exception as error:  # a third-party module may raise anything when it is imported
        raise UsageError(
            f"{describe_origin(point)} adds a {format_kind(kind)} that cannot be loaded: {error}; uninstall it"
        ) from error
    if not isinstance(added, kind) or not (added.module if isinstance(added, Framework) else added.package):
        raise UsageError(
            f"{describe_origin(point)}: {point.value} is not a {format_kind(kind)} that names a module; uninstall it"
        )
    return added


def format_kind(kind: type[Framework] | type[Workload]) -> str:
    """Return the word for such an entry in messages."""
    return kind.__name__.lower()


def describe_origin(point: metadata.EntryPoint) -> str:
    """Describe the distribution that an entry point belongs to."""
    return f"the distribution {point.dist.name}" if point.dist else f"the entry point {point.name}"
