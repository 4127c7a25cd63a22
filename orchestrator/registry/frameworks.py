"""Registry of frameworks: those of the catalog, and those that installed distributions add.

A distribution adds one by an entry point of the group `plumbline.frameworks`. The entry point loads to a catalog
entry, a `schemas.catalog.Framework` whose `module` a worker can import.
"""

import functools
from collections.abc import Iterable, Mapping
from importlib import metadata

from orchestrator.registry.plugins import merge_entries
from schemas.catalog import FRAMEWORKS, Framework

FRAMEWORK_GROUP = "plumbline.frameworks"


@functools.cache
def load_frameworks() -> Mapping[str, Framework]:
    """Return every framework by name: the catalog's first, then the installed ones."""
    return merge_frameworks(metadata.entry_points(group=FRAMEWORK_GROUP))


def merge_frameworks(points: Iterable[metadata.EntryPoint]) -> Mapping[str, Framework]:
    """Merge the catalog's frameworks with those of these entry points, in the order of their names.

    Raises:
        UsageError: an entry is not a framework, or its name is taken.
    """
    return merge_entries(FRAMEWORKS, points, Framework)
