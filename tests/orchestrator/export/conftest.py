"""A run for the tests of every exporter."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.analysis.run import Run
from orchestrator.api import load
from orchestrator.records.store import Store
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.analysis.costs.test_memory import needing

BLOCKS = 8


MIXTURE = "environment numpy: numpy 1.0 is now 2.0"


@pytest.fixture
def run(
    tmp_path: Path,
    make_cell: Callable[..., Cell],
    make_record: Callable[..., JobRecord],
    make_records: Callable[..., list[JobRecord]],
    make_report: Callable[..., Report],
    make_run: Callable[..., Store],
) -> Run:
    """Load a run of two measured cells, a clone, a cell that became wrong in its second job, and two that failed.

    In block 3, a quota throttled the second cell's process. In block 4, its first attempt was lost.
    """
    fast, slow, wrong = make_cell("torch:eager"), make_cell("torch:script"), make_cell("jax:jit", batch=7)
    clone = fast.model_copy(update={"replica": 1})
    measured = [
        with_memory(record, make_report) for record in make_records([(fast, 1000), (slow, 1500), (clone, 1000)], BLOCKS)
    ]
    records = [
        throttled(record) if (record.spec.cell, record.spec.block) == (slow, 3) else record for record in measured
    ]
    lost = make_record(slow, 4, outcome="killed")
    again = {"spec": records[10].spec.model_copy(update={"attempt": 2})}
    assert (records[10].spec.cell, records[10].spec.block) == (slow, 4)
    records[10] = records[10].model_copy(update=again)
    others = [
        lost,
        make_record(wrong, 1, call_ns=10),
        make_record(wrong, 2, outcome="wrong", call_ns=10),
        make_record(make_cell("numpy:eager"), outcome="unsupported", reason='no "|" here\n=1+1', outside=None),
        make_record(make_cell("openvino:compiled"), outcome="raised", reason="=cmd()\x1b[2J"),
    ]
    folder = make_run("exported", [*records, *others]).folder
    return load(folder)


@pytest.fixture
def mixed(run: Run) -> Run:
    """Return the same run as if its second part had been forced, with another NumPy."""
    return dataclasses.replace(run, manifest=run.manifest.model_copy(update={"mixed": (MIXTURE,)}))


def with_memory(record: JobRecord, make_report: Callable[..., Report]) -> JobRecord:
    assert record.report is not None
    call_ns = min(record.report.samples_ns) // 100
    return record.model_copy(update={"result": make_report(call_ns, **needing(220 + record.spec.block))})


def throttled(record: JobRecord) -> JobRecord:
    assert record.report is not None
    noise = record.report.noise.model_copy(update={"throttled": 1})
    return record.model_copy(update={"result": record.report.model_copy(update={"noise": noise})})


@pytest.fixture
def other(
    make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]], make_run: Callable[..., Store]
) -> Run:
    """Load a run of the first cell alone, twice as slow."""
    return load(make_run("slow", make_records([(make_cell("torch:eager"), 2000)], BLOCKS, seed=2)).folder)
