"""Real workers on short jobs, and small programs beside them, each in a process of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from schemas.catalog import FRAMEWORKS
from schemas.event import Event, Report
from schemas.job import Cell, JobSpec, Timing
from schemas.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parents[2]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
SCRATCH = tempfile.TemporaryDirectory(prefix="plumbline-tests-")
"""Where workers put their files. One for all: what Inductor compiles of PyTorch's own headers serves every job."""

QUICK = Timing(samples=10, sample_ns=1_000_000, warmup_min_ns=1_000_000)


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its status, what it wrote to descriptor 1, and what to descriptor 2."""

    status: int
    output: bytes
    log: str

    @property
    def events(self) -> list[Event]:
        """Every line of the output, each of which has to be an event."""
        return [EVENT.validate_json(line) for line in self.output.splitlines()]

    @property
    def report(self) -> Report:
        """The last event, which has to be a report."""
        last = self.events[-1] if self.output else None
        assert isinstance(last, Report), (last, self.log)
        return last


Ask = Callable[..., JobSpec]
Work = Callable[..., Ended]
Python = Callable[..., Ended]
Reported = Callable[[JobSpec], Report]


def defaults(workload: str) -> dict[str, int]:
    """The catalog's parameters of a workload; none for one that is not in it."""
    return {size.name: size.default for known in WORKLOADS if known.name == workload for size in known.parameters}


def spec_of(
    framework: str, mode: str, workload: str, parameters: Mapping[str, int] | None = None, **fields: object
) -> JobSpec:
    """What the orchestrator would write, only with short samples; what is not named has the catalog's default."""
    sizes = defaults(workload) | dict(parameters or {})
    names = {"framework": framework, "mode": mode, "workload": workload, "parameters": sizes}
    cell = Cell.model_validate(names | fields)
    known = next((known for known in FRAMEWORKS if known.name == framework), None)
    asked = known.variables if known else {}
    variables = {name: text.format(threads=cell.threads) for name, text in asked.items()}
    cold = known.caches.get("cold", {}) if known else {}
    variables |= {name: text.replace("{cache}", SCRATCH.name) for name, text in cold.items()}
    modules = [known.module for known in known.modes if known.name == mode] if known else []
    return JobSpec(
        cell=cell, block=1, position=0, seed=7, cpus=(), variables=variables, timing=QUICK, module="".join(modules)
    )


def run_process(arguments: list[str], message: bytes, variables: Mapping[str, str], timeout_s: float = 240) -> Ended:
    """Run a fresh interpreter that finds the project; of Python's own variables it has no other."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-P", *arguments],
        input=message,
        capture_output=True,
        timeout=timeout_s,
        check=False,
        env=kept | {"TMPDIR": SCRATCH.name} | dict(variables) | {"PYTHONPATH": str(ROOT)},
    )
    return Ended(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def run_worker(spec: JobSpec | bytes, **variables: str) -> Ended:
    """Run a worker on a spec, with the variables that it asks for and then these."""
    if isinstance(spec, bytes):
        return run_process(["-m", "workers"], spec, variables)
    return run_process(["-m", "workers"], spec.model_dump_json().encode(), {**spec.variables, **variables})


@pytest.fixture(scope="session")
def ask() -> Ask:
    return spec_of


@pytest.fixture(scope="session")
def work() -> Work:
    return run_worker


@pytest.fixture(scope="session")
def python() -> Python:
    """Runs a small program that can import the measured side."""

    def run(program: str, message: bytes = b"") -> Ended:
        return run_process(["-c", program], message, {})

    return run


@pytest.fixture(scope="session")
def reported() -> Reported:
    """Runs each cell once, and keeps its report for all the promises that are checked on it.

    Skips where the framework is not installed, or no compiler for a mode of PyTorch that needs one. Finding that out
    must not import it: a report needs no framework here.
    """
    kept: dict[str, Report] = {}

    def of(spec: JobSpec) -> Report:
        name = spec.cell.framework
        if name != "synthetic" and find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
        if spec.cell.mode.startswith(("compile", "aot")) and shutil.which("g++") is None:
            pytest.skip("g++ is not installed")
        if spec.cell.id not in kept:
            kept[spec.cell.id] = run_worker(spec).report
        return kept[spec.cell.id]

    return of
