"""The parts of a run's page that change while it runs, made once for all who look at it."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from orchestrator.report.server import views
from orchestrator.report.server.library import PAUSE_PER_COST, OpenRun

# A viewer hears of a running run at most so often.
LOOK_S: Final = 2.0

Render = Callable[[str, Mapping[str, object]], str]


@dataclass(slots=True)
class LiveParts:
    """The parts of one run's page by their ids. Each is rendered again only if what it shows has changed."""

    render: Render
    parts: dict[str, str] = field(default_factory=dict)
    text: str = ""
    """All parts as JSON on one line."""
    made_s: float = -1e9
    cost_s: float = 0.0
    viewers: int = 0
    _shown: tuple[int, int, int] = (-1, -1, -1)

    @property
    def pause_s(self) -> float:
        """The time until it pays to look again: longer, the more a look costs."""
        return max(LOOK_S, PAUSE_PER_COST * self.cost_s)

    def update(self, found: OpenRun) -> str:
        """Return all parts as JSON; made anew if the last ones are old, or the run has ended."""
        now_s = time.monotonic()
        if now_s - self.made_s >= self.pause_s or found.writer is None or not self.text:
            began_s = time.thread_time()
            self._make(found)
            self.made_s, self.cost_s = now_s, time.thread_time() - began_s
        return self.text

    def _make(self, found: OpenRun) -> None:
        state = (id(found), found.revision, found.reader.revision)
        if state[:2] != self._shown[:2]:
            self.parts["results"] = self.render("results.html", {"results": views.build_results(found.run)})
        if state != self._shown:
            jobs = views.list_jobs(found.reader.processes)
            self.parts["jobs"] = self.render("jobs.html", {"run": found.place.name, "jobs": jobs})
        self._shown = state
        progress = views.build_progress(found, datetime.now().astimezone())
        self.parts["progress"] = self.render("progress.html", {"progress": progress})
        self.text = json.dumps(self.parts)
