"""A run with known times: two groups, a break-even, a tie, a clone, a wrong and an unsupported cell."""

import random
from collections.abc import Callable, Mapping

import pytest

from orchestrator.analysis.run import Run
from orchestrator.report.page.charts import Section, make_section
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.analysis.costs.test_memory import needing
from tests.orchestrator.conftest import a_manifest, a_run

# Floors; the last two are equal.
TIMES_NS = {"torch:eager": 30_000, "torch:trace": 20_000, "tensorflow:eager": 90_000, "tensorflow:function": 90_000}

# First results: tracing breaks even after 10,001 calls.
FIRST_NS = {"torch:eager": 10**6, "torch:trace": 101 * 10**6, "tensorflow:eager": 10**7, "tensorflow:function": 10**8}

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[31m' onload=\"alert(1)"


def first_section(run: Run) -> Section:
    """Return the first group of a run with its processes."""
    return make_section(run.groups[0], run)


@pytest.fixture
def make_job(make_record: Callable[..., JobRecord], make_report: Callable[..., Report]) -> Callable[..., JobRecord]:
    """Return a maker of processes with known floor, first result, phases, warm-up and work."""

    def make(cell: Cell, block: int, rng: random.Random, **changes: object) -> JobRecord:
        label = f"{cell.framework}:{cell.mode}"
        call_ns = round(TIMES_NS[label] * (1 + rng.gauss(0, 0.003)))
        phases = [*phases_of(needing(220)["phases"], FIRST_NS[label])]
        laps = ((1, FIRST_NS[label]), (1, 3 * call_ns), *((1, call_ns + rng.randrange(100)) for _ in range(30)))
        report = make_report(
            call_ns,
            **needing(220) | {"phases": phases},
            warmup=laps,
            work={"flops": 10**6, "bytes": 10**5},
            ceiling={"flops_per_s": 100e9, "bytes_per_s": 10e9},
        )
        outside = {
            "started": f"2025-01-01T00:{block:02}:{rng.randrange(60):02}+00:00",
            "spawn_to_end_ns": 2 * 10**9,
            "exit_status": 0,
            "last_phase": "report",
            "load_before": 0.1,
        }
        return make_record(cell, block, result=report, outside=outside, **changes)

    return make


def phases_of(ledger: object, first_ns: int) -> list[Mapping[str, object]]:
    """Return phases of which only the first call takes time: `first_ns`."""
    assert isinstance(ledger, list)
    taking = [first_ns if phase["name"] == "first_call" else 1 for phase in ledger]
    return [phase | {"wall_ns": took, "cpu_ns": took} for phase, took in zip(ledger, taking, strict=True)]


@pytest.fixture
def known_run(
    make_cell: Callable[..., Cell], make_job: Callable[..., JobRecord], make_record: Callable[..., JobRecord]
) -> Run:
    rng = random.Random(2)  # a seed with which the two equal modes are found equal
    measured = [make_cell(label, task=task) for task in ("forward", "backward") for label in TIMES_NS]
    clone = measured[0].model_copy(update={"replica": 1})
    wrong, refused = make_cell("torch:script", task="forward"), make_cell("openvino:compiled", task="backward")
    records = [make_job(cell, block, rng) for block in range(1, 13) for cell in (*measured, clone)]
    records += [
        make_record(wrong, outcome="wrong", call_ns=4321, reason="the output is off by 3e-3"),
        make_record(refused, outcome="unsupported", outside=None),
    ]
    cells = (*measured, clone, wrong, refused)
    return a_run(a_manifest(cells, name="known", command=("sweep", "--workloads", "mlp:depth=3"), seed=7), records)


@pytest.fixture
def hostile_run(known_run: Run, make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord]) -> Run:
    """Return a run in which an attacker wrote every text that a record may hold."""
    cell = make_cell(f"{HOSTILE}:x", task="forward", workload=HOSTILE, parameters={HOSTILE: 1})
    job = known_run.records[0]
    assert job.report is not None
    report = job.report.model_copy(update={"warnings": (HOSTILE,), "versions": {HOSTILE: HOSTILE}})
    measured = job.model_copy(update={"spec": job.spec.model_copy(update={"cell": cell}), "result": report})
    odd = make_cell(f"torch:{HOSTILE}", task="forward")
    raised = make_record(odd, outcome="raised", reason=HOSTILE, advice=HOSTILE)
    host = known_run.manifest.host.model_copy(update={"cpu": HOSTILE, "variables": {HOSTILE: HOSTILE}})
    manifest = known_run.manifest.model_copy(
        update={
            "name": HOSTILE,
            "cells": (*known_run.manifest.cells, cell, odd),
            "warnings": (HOSTILE,),
            "stopped": HOSTILE,
            "mixed": (HOSTILE,),
            "command": ("sweep", HOSTILE),
            "host": host,
            "started": HOSTILE,
        }
    )
    return a_run(manifest, [*known_run.records, measured, raised])
