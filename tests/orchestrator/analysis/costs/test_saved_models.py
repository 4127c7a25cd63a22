"""Costs of saved models: size and writing once for a cell, loading over its processes."""

from collections.abc import Callable

import pytest

from orchestrator.analysis.costs.saved_models import ArtefactCosts, summarise_artefact
from schemas.artefact import Artefact
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

FILE = Artefact(path="/x/y.pt", sha256="ab", size_bytes=5000, written_ns=700)
Loading = Callable[..., JobRecord]


@pytest.fixture
def loading(
    make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord], make_report: Callable[..., Report]
) -> Loading:
    """Return a function that makes the record of a job that loaded a file in this time."""

    def make(
        load_ns: int = 100, origin: str = "file", artefact: Artefact | None = FILE, **changes: object
    ) -> JobRecord:
        report = make_report(phases=[{"name": "load", "wall_ns": load_ns, "cpu_ns": 1}])
        record = make_record(make_cell(origin=origin), result=report, **changes)
        return record.model_copy(update={"spec": record.spec.model_copy(update={"artefact": artefact})})

    return make


def test_the_time_to_load_is_the_median_over_processes(loading: Loading) -> None:
    found = summarise_artefact([loading(ns) for ns in (300, 100, 200)])
    assert isinstance(found, ArtefactCosts)
    assert (found.size_bytes, found.written_ns, found.load_ns.estimate) == (5000, 700, 200)


def test_six_processes_make_an_interval(loading: Loading) -> None:
    found = summarise_artefact([loading(ns) for ns in (1, 2, 3, 4, 5, 6)])
    assert found is not None
    assert (found.load_ns.low, found.load_ns.high) == (1, 6)


@pytest.mark.parametrize("changes", [{"origin": "source"}, {"artefact": None}])
def test_a_model_that_was_built_from_its_source_has_no_such_cost(loading: Loading, changes: dict[str, object]) -> None:
    assert summarise_artefact([loading(**changes)]) is None


def test_a_job_that_failed_loads_nothing_that_counts(loading: Loading) -> None:
    failed = loading().model_copy(update={"result": None, "outcome": "raised"})
    assert summarise_artefact([failed]) is None
    assert summarise_artefact([]) is None
    found = summarise_artefact([failed, loading(9)])
    assert found is not None
    assert found.load_ns.estimate == 9
