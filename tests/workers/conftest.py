"""Real workers on short jobs, and small programs, each in a separate process."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from schemas.catalog import FRAMEWORKS
from schemas.event import Event, Report
from schemas.job import Cell, JobSpec, Timing
from schemas.workloads import WORKLOADS
from tests.templates import fork_worker, give_data, judge_events

ROOT = Path(__file__).resolve().parents[2]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)

# The folder for files of workers. All share it, because PyTorch's headers, once compiled by Inductor, serve every job.
SCRATCH = tempfile.TemporaryDirectory(prefix="plumbline-tests-")

QUICK = Timing(samples=10, sample_ns=1_000_000, warmup_min_ns=1_000_000)


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its status, and the text that it wrote to descriptors 1 and 2."""

    status: int
    output: bytes
    log: str

    @property
    def events(self) -> list[Event]:
        """Every line of the output, each of which must be an event."""
        return [EVENT.validate_json(line) for line in self.output.splitlines()]

    @property
    def report(self) -> Report:
        """The last event, which must be a report."""
        last = self.events[-1] if self.output else None
        assert isinstance(last, Report), (last, self.log)
        return last


Ask = Callable[..., JobSpec]
Work = Callable[..., Ended]
Python = Callable[..., Ended]
Reported = Callable[[JobSpec], Report]


def defaults(workload: str) -> dict[str, int]:
    """Return the catalog's parameters of a workload; none if it is not in the catalog."""
    return {size.name: size.default for known in WORKLOADS if known.name == workload for size in known.parameters}


def spec_of(
    framework: str, mode: str, workload: str, parameters: Mapping[str, int] | None = None, **fields: object
) -> JobSpec:
    """Return the orchestrator's spec with short samples; other parameters have the catalog's defaults."""
    sizes = defaults(workload) | dict(parameters or {})
    names = {"framework": framework, "mode": mode, "workload": workload, "parameters": sizes}
    cell = Cell.model_validate(names | fields)
    known = next((known for known in FRAMEWORKS if known.name == framework), None)
    asked = known.variables if known else {}
    variables = {name: text.format(threads=cell.threads) for name, text in asked.items()}
    cold = known.caches.get("cold", {}) if known else {}
    variables |= {name: text.replace("{cache}", SCRATCH.name) for name, text in cold.items()}
    workloads = [each for each in WORKLOADS if each.name == workload]
    modes = [each for each in known.modes if each.name == mode] if known else []
    for each in modes:
        variables |= each.variables | (each.file_variables if cell.origin == "file" else {})
    return JobSpec(
        cell=cell,
        block=1,
        position=0,
        seed=7,
        cpus=(),
        variables=variables,
        loop=max((each.count_calls(sizes) for each in workloads), default=1),
        timing=QUICK,
        module="".join(each.module for each in modes),
        distributions=known.reported_distributions if known else (),
    )


def run_process(arguments: list[str], message: bytes, variables: Mapping[str, str], timeout_s: float = 240) -> Ended:
    """Run a fresh interpreter that finds the project, without any other variable of Python's."""
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


def run_worker(spec: JobSpec | bytes, *, fresh: bool = False, **variables: str) -> Ended:
    """Run a worker on a spec, with the variables of the spec and then these.

    Without further variables it is forked from a template, unless it has to start fresh: that saves an import. Its last
    event is as a judge has left it.
    """
    if isinstance(spec, bytes):
        return run_process(["-m", "workers"], spec, variables)
    with tempfile.TemporaryDirectory(dir=SCRATCH.name) as folder:
        placed = spec.model_copy(update={"results": str(Path(folder, "results.npy"))})
        # No judge stands in an environment that is only named.
        given = give_data(placed) if spec.cell.environment == "current" else placed
        if not isinstance(given, JobSpec):
            return Ended(0, given.model_dump_json().encode() + b"\n", "")
        if not (fresh or variables) and spec.cell.framework in SLOW_IMPORTS and find_spec(spec.cell.framework):
            ended = Ended(*fork_worker(given, SCRATCH.name))
        else:
            message = given.model_dump_json().encode()
            ended = run_process(["-m", "workers"], message, {**spec.variables, **variables})
        return judge_results(placed, ended)


def judge_results(spec: JobSpec, ended: Ended) -> Ended:
    """Return the end of a worker with its last event as a judge leaves it."""
    if not ended.output:
        return ended
    judged = judge_events(spec, ended.events).model_dump_json().encode()
    return replace(ended, output=b"".join(line + b"\n" for line in [*ended.output.splitlines()[:-1], judged]))


def find_missing(framework: str, mode: str) -> str:
    """Return the package or the program that a mode needs and that is not installed; empty if there is none."""
    needed = [framework, mode.partition("-")[0]] if framework == "keras" else [framework]
    missing = [package for package in needed if package != "synthetic" and find_spec(package) is None]
    by_inductor = framework in ("torch", "keras") and mode.startswith(("compile", "torch-compile", "aot"))
    programs = ["g++"] * by_inductor + ["clang"] * (framework == "tinygrad")
    missing += [program for program in programs if shutil.which(program) is None]
    return missing[0] if missing else ""


# Frameworks that take long to import, and whose import starts no thread.
SLOW_IMPORTS = ("torch", "tensorflow", "jax", "keras")


@pytest.fixture(scope="session")
def ask() -> Ask:
    return spec_of


@pytest.fixture(scope="session")
def work() -> Work:
    return run_worker


@pytest.fixture(scope="session")
def python() -> Python:
    """Run a small program that can import the measured side."""

    def run(program: str, message: bytes = b"") -> Ended:
        return run_process(["-c", program], message, {})

    return run


@pytest.fixture(scope="session")
def reported() -> Reported:
    """Run each cell once, and keep its report for all tests that check it.

    Skip if the framework is not installed, or no compiler for a mode that needs one. This test must not import the
    framework, which a report does not need here.
    """
    kept: dict[str, Report] = {}

    def of(spec: JobSpec) -> Report:
        if missing := find_missing(spec.cell.framework, spec.cell.mode):
            pytest.skip(f"{missing} is not installed")
        if spec.cell.id not in kept:
            kept[spec.cell.id] = run_worker(spec).report
        return kept[spec.cell.id]

    return of
