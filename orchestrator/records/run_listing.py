"""The runs of a folder for a program that looks again and again: listed anew only where the folder has changed."""

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator.records.store import NO_STAMP, Stamp, Store, is_own_run, make_stamp, natural_sort_key

# A folder that was changed so shortly before it was listed may have changed again at the same time of its clock.
SETTLING_NS: Final = 2_000_000_000


@dataclass(slots=True)
class RunListing:
    """The runs of a folder, without those that a link leads to."""

    root: Path
    _stamp: Stamp = NO_STAMP
    _is_settled: bool = False
    _runs: dict[str, Store] = field(default_factory=dict)
    _others: tuple[Store, ...] = ()
    """Whatever else is in the folder: a run is one from its manifest on, which the folder does not show."""

    def list_stores(self) -> list[Store]:
        """List the runs, the oldest first."""
        stamp = self._read_stamp()
        if stamp != self._stamp or not self._is_settled:
            is_settled = time.time_ns() - stamp[1] > SETTLING_NS
            self._list_folder()
            # Last, for another thread that looks meanwhile.
            self._stamp, self._is_settled = stamp, is_settled
        elif self._others:
            begun = self._divide(self._others)
            if begun:
                self._keep([*self._runs.values(), *begun])
        return [*self._runs.values()]

    def _read_stamp(self) -> Stamp:
        with contextlib.suppress(OSError):
            return make_stamp(self.root.stat())
        return NO_STAMP

    def _list_folder(self) -> None:
        places = []
        with contextlib.suppress(OSError):
            places = [Store(path) for path in self.root.iterdir()]
        self._keep(self._divide(places))

    def _divide(self, places: Iterable[Store]) -> list[Store]:
        """Return those that are runs, and remember the others."""
        runs, others = list[Store](), list[Store]()
        for place in places:
            (runs if is_own_run(place.folder) else others).append(place)
        self._others = tuple(others)
        return runs

    def _keep(self, runs: list[Store]) -> None:
        self._runs = {each.name: each for each in sorted(runs, key=lambda each: natural_sort_key(each.name))}
