"""The live parts of a page: made once for all viewers, and only what has changed."""

import json
from collections.abc import Callable, Mapping

import pytest

from orchestrator.records.store import Store
from orchestrator.report.server.library import PAUSE_PER_COST, Library, OpenRun
from orchestrator.report.server.live import LOOK_S, LiveParts
from schemas.record import JobRecord


class Rendered:
    """Counts what is rendered, by the name of its template."""

    def __init__(self) -> None:
        self.names = list[str]()

    def __call__(self, name: str, values: Mapping[str, object]) -> str:
        self.names.append(name)
        return f"{name} with {', '.join(values)}"


@pytest.fixture
def found(place: Store) -> OpenRun:
    opened = Library(place.folder.parent).open_run(place.name)
    opened.writer = 1
    return opened


def test_several_viewers_within_a_look_cost_as_much_as_one(found: OpenRun) -> None:
    rendered = Rendered()
    live = LiveParts(rendered)
    texts = {live.update(found) for _ in range(10)}
    assert [json.loads(text) for text in texts] == [
        {
            "results": "results.html with results",
            "jobs": "jobs.html with run, jobs",
            "progress": "progress.html with progress",
        }
    ]
    assert sorted(rendered.names) == ["jobs.html", "progress.html", "results.html"]


def test_the_next_look_renders_only_what_has_changed(
    found: OpenRun, place: Store, make_record: Callable[..., JobRecord]
) -> None:
    rendered = Rendered()
    live = LiveParts(rendered)
    live.update(found)
    rendered.names.clear()
    live.made_s = -1e9
    live.update(found)
    assert rendered.names == ["progress.html"]
    place.write_record(make_record(block=13))
    found.reader.refresh()
    rendered.names.clear()
    live.made_s = -1e9
    live.update(found)
    assert rendered.names == ["jobs.html", "progress.html"]
    found.looked_s = found.computed_s = -1e9
    found.is_stale = True
    found.refresh()
    found.writer = 1
    rendered.names.clear()
    live.made_s = -1e9
    live.update(found)
    assert rendered.names == ["results.html", "jobs.html", "progress.html"]


def test_the_end_of_a_run_is_rendered_at_once(found: OpenRun) -> None:
    rendered = Rendered()
    live = LiveParts(rendered)
    live.update(found)
    found.writer = None
    rendered.names.clear()
    live.update(found)
    assert rendered.names == ["progress.html"]


def test_the_more_a_look_costs_the_rarer_it_is(found: OpenRun) -> None:
    live = LiveParts(Rendered())
    assert live.pause_s == LOOK_S
    live.cost_s = 1.0
    assert live.pause_s == PAUSE_PER_COST
