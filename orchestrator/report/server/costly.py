"""Pages that read whole runs: made one at a time, and shown again as long as nothing that they show has changed."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

from orchestrator.report.server.library import PAUSE_PER_COST

# Pages that are kept; a large one has some megabytes.
MAX_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page with the stamp of what it shows, when it was made, and what that took."""

    text: str
    stamp: Hashable
    made_s: float
    cost_s: float


@dataclass(slots=True)
class CostlyPages:
    """The pages that were asked for last. One thread at a time may use them."""

    _kept: dict[Hashable, KeptPage] = field(default_factory=dict)

    def get_page(self, key: Hashable, stamp: Hashable, make: Callable[[], str], *, is_running: bool) -> str:
        """Return a page, made anew if its stamp is another one.

        While a sweep is running, that is after a multiple of the CPU time that it took, at the earliest.
        """
        kept, now_s = self._kept.pop(key, None), time.monotonic()
        if kept is None or (kept.stamp != stamp and not (is_running and is_fresh(kept, now_s))):
            began_s = time.thread_time()
            kept = KeptPage(make(), stamp, now_s, time.thread_time() - began_s)
        self._kept[key] = kept  # the last one used stands last
        while len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return kept.text


def is_fresh(kept: KeptPage, now_s: float) -> bool:
    """Return whether it is too early to make a page anew."""
    return now_s - kept.made_s < PAUSE_PER_COST * kept.cost_s
