"""Runs on disk, and a server that shows them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.records.store import Store
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.report.server.serving import Served, serve


@pytest.fixture
def place(
    make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]], make_run: Callable[..., Store]
) -> Store:
    """Make a run of two modes, one three times as fast as the other."""
    cells = [(make_cell("torch:eager"), 30_000.0), (make_cell("torch:script"), 10_000.0)]
    return make_run("first", make_records(cells))


@pytest.fixture
def served(place: Store, tmp_path: Path) -> Iterator[Served]:
    """Serve the folder of that run."""
    with serve(place.folder.parent, tmp_path / "home") as serving:
        yield serving
