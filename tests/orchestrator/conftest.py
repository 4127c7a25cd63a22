"""What the orchestrator's tests make their cells, records and runs of."""

import random
from collections.abc import Callable, Mapping

import pytest

from orchestrator import plan as planning
from orchestrator.plan import Plan
from schemas.event import Report
from schemas.job import Cell, JobSpec
from schemas.record import Host, JobRecord
from schemas.sweep import SweepSpec

HOST = Host(cpu="a CPU", cores=2, memory_bytes=1 << 30, system="Linux", python="3.11.0")
STOP = {"budget": 100, "blocks": 3}


def a_cell(label: str = "numpy:eager", **changes: object) -> Cell:
    framework, _, mode = label.partition(":")
    plain = {"framework": framework, "mode": mode, "workload": "mlp", "parameters": {"depth": 3}}
    return Cell.model_validate(plain | changes)


def a_spec(cell: Cell | None = None, block: int = 1, position: int = 0, **changes: object) -> JobSpec:
    plain = {
        "cell": cell or a_cell(), "block": block, "position": position, "seed": 1, "cpus": (1,), "variables": {},
    }  # fmt: skip
    return JobSpec.model_validate(plain | changes)


def a_report(call_ns: int = 1000, **changes: object) -> Report:
    """The report of a process whose fastest sample took `call_ns` a call, and the others one per cent more."""
    plain = {
        "versions": {"numpy": "2.0"}, "settings": (), "verification": {"checks": ()}, "inputs_sha256": "ab",
        "phases": ({"name": "import", "wall_ns": 10**8, "cpu_ns": 10**8},
                   {"name": "first_call", "wall_ns": 10**6, "cpu_ns": 10**6}),
        "warmup_ns": (9 * call_ns, 2 * call_ns), "calls": 100,
        "samples_ns": (101 * call_ns, 100 * call_ns, 101 * call_ns),
    }  # fmt: skip
    return Report.model_validate(plain | changes)


def a_record(
    cell: Cell | None = None, block: int = 1, outcome: str = "measured", call_ns: int = 1000, **changes: object
) -> JobRecord:
    """The record of one job that was started; only measured and wrong ones have a report."""
    plain: dict[str, object] = {
        "spec": a_spec(cell, block), "outcome": outcome, "host": HOST,
        "reason": "" if outcome == "measured" else f"because it was {outcome}",
        "report": a_report(call_ns) if outcome in ("measured", "wrong") else None,
        "outside": {"started": "2025-01-01T00:00:00", "spawn_to_end_ns": 2 * 10**9, "exit_status": 0,
                    "last_phase": "steady", "load_before": 0.1},
    }  # fmt: skip
    return JobRecord.model_validate(plain | changes)


def some_records(times_ns: Mapping[Cell, float], blocks: int = 12, noise: float = 0.003) -> list[JobRecord]:
    """Measured jobs of cells with these times per call, in nanoseconds, a little different in each process."""
    rng = random.Random(1)
    return [
        a_record(cell, block, call_ns=round(time * (1 + rng.gauss(0, noise))))
        for block in range(1, blocks + 1)
        for cell, time in times_ns.items()
    ]


def a_plan(*frameworks: str, axes: Mapping[str, object] | None = None, **said: object) -> Plan:
    """A plan for two cores, of modes that need nothing but NumPy."""
    asked = {"frameworks": frameworks or ("numpy", "synthetic:spin"), "workloads": ("mlp",)} | dict(axes or {})
    return planning.plan(SweepSpec.model_validate({"axes": asked, "seed": 1, "stop": STOP} | said), (0, 1))


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
def make_report() -> Callable[..., Report]:
    return a_report


@pytest.fixture
def make_record() -> Callable[..., JobRecord]:
    return a_record


@pytest.fixture
def make_records() -> Callable[..., list[JobRecord]]:
    return some_records


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    return a_plan
