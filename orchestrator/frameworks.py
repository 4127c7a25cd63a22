"""Which frameworks there are: those of the catalog, and those that installed distributions add.

A distribution adds one by an entry point of the group `plumbline.frameworks` that loads to a catalog entry, a
`schemas.catalog.Framework` whose `module` a worker can import.
"""

import functools
from collections.abc import Iterable, Mapping
from importlib import metadata

from orchestrator.installed import beside
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
    return beside(FRAMEWORKS, points, Framework)
