"""One side of a comparison: a run, or one environment of a run, with the results of its cells."""

import json
import math
import os
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.analysis.costs.memory import METRIC_MEANINGS, score_memory_metric
from orchestrator.analysis.process_scores import map_counted_reports, score_records
from orchestrator.analysis.results import result_from_records
from orchestrator.analysis.run import Run
from orchestrator.comparison.changes import CellSide
from orchestrator.environments.lookup import to_absolute_interpreter
from orchestrator.errors import UsageError, unknown_name_error
from orchestrator.records import store
from orchestrator.records.labels import shorten_paths
from orchestrator.records.timestamps import parse_timestamp
from orchestrator.registry.frameworks import load_frameworks
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord, Manifest

# Signs of a kind of build in a version (+cu126, +cpu), and in the descriptions of PyTorch and TensorFlow.
BUILD_SIGNS: Final = {
    "CUDA": re.compile(r"\+cu\d|USE_CUDA=(?:ON|1)\b|'is_cuda_build': True", re.IGNORECASE),
    "ROCm": re.compile(r"\+rocm|USE_ROCM=(?:ON|1)\b|'is_rocm_build': True", re.IGNORECASE),
    "CPU": re.compile(r"\+cpu\b|USE_CUDA=(?:OFF|0)\b|'is_cuda_build': False", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSide:
    """One side: the cells of a run in one environment, and their records, both by a cell's content."""

    name: str
    folder: Path
    manifest: Manifest
    cells: Mapping[str, Cell]
    records: Mapping[str, Sequence[JobRecord]]
    fastest_canary_ns: float
    skipped: Sequence[str] = ()

    @property
    def canary_ns(self) -> float:
        """Median over all processes of each one's fastest canary; NaN if no process ran the canary."""
        reports = [record.report for each in self.records.values() for record in each if record.report is not None]
        fastest = [min(report.noise.canary_ns) for report in reports if report.noise.canary_ns]
        return statistics.median(fastest) if fastest else math.nan

    def block_starts(self) -> dict[int, float]:
        """Return when the first job of each block was started, in seconds since the epoch."""
        starts: dict[int, float] = {}
        for record in (record for each in self.records.values() for record in each if record.spec.block):
            if record.outside and (began := parse_timestamp(record.outside.started)):
                at, block = began.timestamp(), record.spec.block
                starts[block] = min(at, starts.get(block, at))
        return starts


def read_side(root: Path, text: str, across: Sequence[str] = ()) -> RunSide:
    """Read the side that a run's name, path or part means; `@ENVIRONMENT` picks one of several environments.

    `across` are fields in which cells that are compared may differ.

    Raises:
        UsageError: there is no such run or environment, or the same cells are in several.
    """
    name, _, environment = (text, "", "") if Path(text).exists() else text.partition("@")
    found = store.find_run(root, name)
    run = Run.from_store(found)
    cells = select_cells(run, environment, across)
    return RunSide(
        name=f"{run.name}@{environment}" if environment else run.name,
        folder=found.folder.resolve(),
        manifest=run.manifest,
        cells=cells,
        records={name: run.jobs.get(cell.id, ()) for name, cell in cells.items()},
        fastest_canary_ns=run.canary_ns,
        skipped=run.skipped,
    )


def select_cells(run: Run, environment: str, across: Sequence[str] = ()) -> dict[str, Cell]:
    """Return the cells of a run in one environment, or in all if none is named, by their content."""
    chosen = select_environments(run, environment)
    own = [cell for cell in run.manifest.cells if not cell.replica and cell.environment in chosen]
    cells = {to_content_key(cell, across): cell for cell in own}
    if len(cells) < len(own) or (environment and len(chosen) > 1):  # cells of one content differ in their environment
        short = shorten_paths(chosen)
        choice = " or ".join(f"{run.name}@{short.get(each, each)}" for each in chosen)
        raise UsageError(f"{run.name} has the same cells in several environments; name {choice}")
    return cells


def select_environments(run: Run, environment: str) -> list[str]:
    """Return the environments of a run that a text names, or all if it is empty."""
    there = sorted({cell.environment for cell in run.manifest.cells})
    chosen = match_environments(environment, there) if environment else there
    if not chosen:
        raise unknown_name_error(f"environment of {run.name}", environment, there)
    return chosen


def match_environments(text: str, names: Sequence[str]) -> list[str]:
    """Return the environments with this name, or the interpreters with this path or these folders in their path."""
    if exact := {text, to_absolute_interpreter(text)}.intersection(names):
        return [*exact]
    wanted = Path(text).parts
    paths = {name: Path(name).parts for name in names if os.sep in name}
    return [
        name
        for name, parts in paths.items()
        if any(parts[start : start + len(wanted)] == wanted for start in range(len(parts)))
    ]


def to_content_key(cell: Cell, across: Sequence[str] = ()) -> str:
    """Return a cell's content as JSON, without the environment in which it ran and without the fields in `across`."""
    return json.dumps(cell.model_dump(mode="json", exclude={"environment", "replica", *across}), sort_keys=True)


def summarise_cell(side: RunSide, key: str) -> CellSide:
    """Summarise one cell on one side; `key` is the cell's content."""
    records = side.records[key]
    reports = map_counted_reports(records)
    logs = {metric: score_memory_metric(reports, metric) for metric in METRIC_MEANINGS}
    return CellSide(
        result=result_from_records(side.cells[key], records, side.fastest_canary_ns),
        scores=score_records(records),
        memory={metric: by_block for metric, by_block in logs.items() if by_block},
        computed=frozenset(report.inputs_sha256 for report in reports.values()),
        seeds=frozenset(record.spec.seed for record in records),
        is_uneven=any(report.is_uneven for report in reports.values()),
        versions=frozenset(
            (package, version)
            for report in reports.values()
            for package, version in report.versions.items()
            if package.startswith(list_package_prefixes(side.cells[key].framework))
        ),
        builds=frozenset(
            kind for report in reports.values() if (kind := classify_build(side.cells[key].framework, report))
        ),
    )


def classify_build(framework: str, report: Report) -> str:
    """Return the kind of build of a framework: CPU, CUDA or ROCm; empty if neither version nor description tells."""
    own = [version for name, version in report.versions.items() if name.startswith(list_package_prefixes(framework))]
    # The version decides if it tells: a description may name a library that the build does not use.
    for text in (" ".join(own), report.build_info):
        for kind, sign in BUILD_SIGNS.items():
            if sign.search(text):
                return kind
    return ""


def list_package_prefixes(framework: str) -> tuple[str, ...]:
    """Return how the names of a framework's own packages begin: `jaxlib` is jax's. An unknown one owns any package."""
    entry = load_frameworks().get(framework)
    return (framework, *entry.distributions, *entry.also_needs) if entry else ("",)
