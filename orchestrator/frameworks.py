"""Which frameworks there are: those of the catalog, and those that installed distributions add.

A distribution adds one by an entry point of the group `plumbline.frameworks` that loads to a catalog entry, a
`schemas.catalog.Framework` whose `module` a worker can import. Here the entry alone is loaded, so it has to stand in a
module that imports no framework.
"""

import functools
from collections.abc import Iterable, Mapping
from importlib import metadata
from types import MappingProxyType

from orchestrator.errors import UsageError
from schemas.catalog import FRAMEWORKS, Framework

GROUP = "plumbline.frameworks"


@functools.cache
def known() -> Mapping[str, Framework]:
    """Every framework by name: our own first, then those that are installed here."""
    return among(metadata.entry_points(group=GROUP))


def among(points: Iterable[metadata.EntryPoint]) -> Mapping[str, Framework]:
    """Our own frameworks, and those of these entry points in the order of their names.

    Raises:
        UsageError: what a distribution adds is no framework, or one whose name is taken.
    """
    found = {framework.name: framework for framework in FRAMEWORKS}
    for point in sorted(points, key=lambda point: point.name):
        added = load(point)
        if added.name in found:
            raise UsageError(f"{origin(point)} adds a framework {added.name}, a name that is taken; uninstall it")
        found[added.name] = added
    return MappingProxyType(found)


def load(point: metadata.EntryPoint) -> Framework:
    """The catalog entry of one entry point."""
    try:
        added = point.load()
    except Exception as error:  # whatever a stranger's module raises when it is imported
        raise UsageError(f"{origin(point)} adds a framework that cannot be loaded: {error}; uninstall it") from error
    if not isinstance(added, Framework) or not added.module:
        raise UsageError(f"{origin(point)}: {point.value} is no catalog entry that names a module; uninstall it")
    return added


def origin(point: metadata.EntryPoint) -> str:
    """The distribution that an entry point belongs to."""
    return f"the distribution {point.dist.name}" if point.dist else f"the entry point {point.name}"
