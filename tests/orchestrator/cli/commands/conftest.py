"""Runs for the commands that hand one on."""

from collections.abc import Callable, Mapping

import pytest

from orchestrator.records.store import Store
from schemas.job import Cell
from schemas.record import JobRecord

Swept = Callable[..., Store]


WIDTHS = (8, 16, 32, 64, 128)


@pytest.fixture
def swept(
    make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]], make_run: Callable[..., Store]
) -> Swept:
    """Make runs of five cells of 1 µs, some of them slower or faster by a factor."""

    def make(name: str, factors: Mapping[int, float] | None = None, seed: int = 1, **changes: object) -> Store:
        times = {width: 1000.0 * (factors or {}).get(width, 1.0) for width in WIDTHS}
        cells = [(make_cell(parameters={"width": width}), ns) for width, ns in times.items()]
        return make_run(name, make_records(cells, seed=seed), 60 * seed, **changes)

    return make
