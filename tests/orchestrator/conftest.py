"""What the orchestrator's tests make their cells, records and runs of."""

import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.analysis.derivation.process import Figures, derive_process
from orchestrator.analysis.run import Run
from orchestrator.cli.app import main
from orchestrator.planning import plan as planning
from orchestrator.planning.plan import Plan
from orchestrator.records import store
from orchestrator.records.store import Store
from schemas.event import Report
from schemas.job import Cell, JobSpec
from schemas.record import Host, JobRecord, Manifest, Placement
from schemas.sweep import SweepSpec

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
HOST = Host(cpu="a CPU", cores=2, memory_bytes=1 << 30, system="Linux", python="3.11.0")
STOP = {"budget": 100, "blocks": 3}


@dataclass(frozen=True)
class Said:
    """What one run of the program came to."""

    code: int
    out: str
    err: str


def a_cell(label: str = "numpy:eager", **changes: object) -> Cell:
    framework, _, mode = label.partition(":")
    plain = {"framework": framework, "mode": mode, "workload": "mlp", "parameters": {"depth": 3}}
    return Cell.model_validate(plain | changes)


def a_spec(cell: Cell | None = None, block: int = 1, position: int = 0, **changes: object) -> JobSpec:
    plain = {"cell": cell or a_cell(), "block": block, "position": position, "seed": 1, "cpus": (1,), "variables": {}}
    return JobSpec.model_validate(plain | changes)


def a_plan(*frameworks: str, axes: Mapping[str, object] | None = None, **said: object) -> Plan:
    """A plan for two cores, of modes that need nothing but NumPy, in the environment that runs the tests."""
    plain = {"frameworks": ("numpy", "synthetic:spin"), "workloads": ("mlp",), "environment": ("current",)}
    asked = plain | ({"frameworks": frameworks} if frameworks else {}) | dict(axes or {})
    return planning.build_plan(SweepSpec.model_validate({"axes": asked, "seed": 1, "stop": STOP} | said), (0, 1))


def a_manifest(cells: Iterable[Cell], **changes: object) -> Manifest:
    """The manifest of a run that has ended."""
    plain: dict[str, object] = {
        "name": "mine",
        "started": NOON.isoformat(),
        "command": (),
        "sweep": {},
        "seed": 1,
        "host": HOST,
        "cells": tuple(cells),
        "stopped": "all blocks were run",
        "finished": True,
    }
    return Manifest.model_validate(plain | changes)


def a_run(manifest: Manifest, records: Iterable[JobRecord]) -> Run:
    """A run with its results that is nowhere on disk."""
    return Run(name="a-run", manifest=manifest, records=tuple(records))


def place_on_nodes(records: Iterable[JobRecord], *names: str) -> list[JobRecord]:
    """Return the records with blocks dealt out to nodes of these names, in turn."""
    return [
        record.model_copy(
            update={"placement": Placement(node=names[record.spec.block % len(names)], share=1, attempt=1)}
        )
        for record in records
    ]


def figures_of(report: Report) -> Figures:
    """What the analysis needs of a report, of a job on one core."""
    figures = derive_process(JobRecord(spec=a_spec(), outcome="measured", host=HOST, result=report)).figures
    assert figures is not None
    return figures


@pytest.fixture
def soon() -> Callable[[Callable[[], bool]], bool]:
    """Whether something happens within ten seconds."""

    def happens(condition: Callable[[], bool]) -> bool:
        for _ in range(200):
            if condition():
                return True
            time.sleep(0.05)
        return False

    return happens


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs the program in this process, which is quicker, for what starts no worker."""

    def make(*arguments: str) -> Said:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["orchestrator", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return Said(int(left.value.code or 0), said.out, said.err)

    return make


@pytest.fixture
def host() -> Host:
    return HOST


@pytest.fixture
def make_cell() -> Callable[..., Cell]:
    return a_cell


@pytest.fixture
def make_spec() -> Callable[..., JobSpec]:
    return a_spec


@pytest.fixture
def make_record(make_report: Callable[..., Report]) -> Callable[..., JobRecord]:
    """The record of one job that was started; only measured and wrong ones have a report."""

    def make(
        cell: Cell | None = None, block: int = 1, outcome: str = "measured", call_ns: int = 1000, **changes: object
    ) -> JobRecord:
        plain: dict[str, object] = {
            "spec": a_spec(cell, block),
            "outcome": outcome,
            "host": HOST,
            "reason": "" if outcome == "measured" else f"because it was {outcome}",
            "result": make_report(call_ns) if outcome in ("measured", "wrong") else None,
            "outside": {
                "started": "2025-01-01T00:00:00",
                "spawn_to_end_ns": 2 * 10**9,
                "exit_status": 0,
                "last_phase": "steady",
                "load_before": 0.1,
            },
        }
        return JobRecord.model_validate(plain | changes)

    return make


@pytest.fixture
def make_records(make_record: Callable[..., JobRecord]) -> Callable[..., list[JobRecord]]:
    """Measured jobs of cells with these times per call, in nanoseconds, a little different in each process."""

    def make(
        times_ns: Sequence[tuple[Cell, float]], blocks: int = 12, noise: float = 0.003, seed: int = 1
    ) -> list[JobRecord]:
        rng = random.Random(seed)
        return [
            make_record(cell, block, call_ns=round(time * (1 + rng.gauss(0, noise))))
            for block in range(1, blocks + 1)
            for cell, time in times_ns
        ]

    return make


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Store]:
    """A run on disk with these records, begun so many seconds after noon; under tmp_path / "runs".

    A `host` among the changes of its manifest measured the records as well.
    """

    def make(name: str, records: Sequence[JobRecord], at_s: float = 0, **changes: object) -> Store:
        began = NOON + timedelta(seconds=at_s)
        cells = {record.spec.cell.id: record.spec.cell for record in records}
        plain: dict[str, object] = {"name": name, "started": began.isoformat(), "sweep": {"name": name}}
        run = store.create_run(tmp_path / "runs", name, began)
        manifest = a_manifest(cells.values(), **plain | changes)
        run.write_manifest(manifest)
        for record in records:
            run.write_record(record.model_copy(update={"host": manifest.host}) if "host" in changes else record)
        return run

    return make


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    return a_plan
