"""The callables of a user's test that compares them, as they are while the test runs in this process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.models import ModelSource
from workers.errors import Malformed

CACHED_NOTE = "callables take no inputs, so results that are kept from call to call cannot be told from computed ones"


@dataclass
class RunningTest:
    """The test that runs in this process: its callables by name, and what restores the state that it was in."""

    callables: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    restore: Callable[[], None] = lambda: None


RUNNING = RunningTest()


def take_callable(source: ModelSource) -> Callable[[], Any]:
    """Return a callable of the test that runs in this process.

    Raises:
        Malformed: it has none of this name.
    """
    found = RUNNING.callables.get(source.attribute)
    if found is None:
        named = ", ".join(RUNNING.callables) or "nothing"
        raise Malformed(f"{source.title} is not compared there in this process, but {named}")
    return found
