"""One side of a comparison: a run, or one environment of a run, with the results of its cells."""

import json
import math
import os
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from orchestrator.analysis import cell_summary
from orchestrator.analysis.costs.memory import METRIC_MEANINGS, score_memory_metric
from orchestrator.analysis.derivation.process import Figures, Process
from orchestrator.analysis.process_scores import (
    collect_figures,
    map_counted_memory,
    score_processes,
    select_counted_jobs,
)
from orchestrator.analysis.run import Run
from orchestrator.comparison.changes import CellSide
from orchestrator.environments.lookup import to_absolute_interpreter
from orchestrator.errors import UsageError, unknown_name_error
from orchestrator.records import store
from orchestrator.records.labels import shorten_paths
from orchestrator.records.timestamps import parse_timestamp
from orchestrator.registry.frameworks import load_frameworks
from schemas.job import Cell
from schemas.record import Manifest

# Signs of a kind of build in a version (+cu126, +cpu), and in the descriptions of PyTorch and TensorFlow.
BUILD_SIGNS: Final = {
    "CUDA": re.compile(r"\+cu\d|USE_CUDA=(?:ON|1)\b|'is_cuda_build': True", re.IGNORECASE),
    "ROCm": re.compile(r"\+rocm|USE_ROCM=(?:ON|1)\b|'is_rocm_build': True", re.IGNORECASE),
    "CPU": re.compile(r"\+cpu\b|USE_CUDA=(?:OFF|0)\b|'is_cuda_build': False", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSide:
    """One side: the cells of a run in one environment, and their processes, both by a cell's content."""

    name: str
    folder: Path
    manifest: Manifest
    cells: Mapping[str, Cell]
    processes: Mapping[str, Sequence[Process]]
    fastest_canary_ns: float
    skipped: Sequence[str] = ()

    @property
    def canary_ns(self) -> float:
        """Median over all processes of each one's fastest canary; NaN if no process ran the canary."""
        figures = collect_figures(chain.from_iterable(self.processes.values()))
        fastest = [each.canary_ns for each in figures if each.canary_ns is not None]
        return statistics.median(fastest) if fastest else math.nan

    def block_starts(self) -> dict[int, float]:
        """Return when the first job of each block was started, in seconds since the epoch."""
        starts: dict[int, float] = {}
        for process in chain.from_iterable(self.processes.values()):
            if process.block and process.started and (began := parse_timestamp(process.started)):
                at, block = began.timestamp(), process.block
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
        processes={name: run.jobs.get(cell.id, ()) for name, cell in cells.items()},
        fastest_canary_ns=run.canary_ns,
        skipped=run.left_out,
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
    processes, framework = side.processes[key], side.cells[key].framework
    memory, counted = map_counted_memory(processes), [figures for _, figures in select_counted_jobs(processes)]
    logs = {metric: score_memory_metric(memory, metric) for metric in METRIC_MEANINGS}
    return CellSide(
        result=cell_summary.summarise_cell(side.cells[key], processes, side.fastest_canary_ns),
        scores=score_processes(processes),
        memory={metric: by_block for metric, by_block in logs.items() if by_block},
        computed=frozenset(figures.inputs_sha256 for figures in counted),
        seeds=frozenset(process.seed for process in processes),
        is_uneven=any(figures.is_uneven for figures in counted),
        versions=frozenset(list_own_versions(framework, counted)),
        builds=frozenset(kind for figures in counted if (kind := classify_build(framework, figures))),
    )


def list_own_versions(framework: str, counted: Sequence[Figures]) -> Iterator[tuple[str, str]]:
    """Yield the versions of a framework's own packages in these processes."""
    prefixes = list_package_prefixes(framework)
    for figures in counted:
        yield from (version for version in figures.versions.items() if version[0].startswith(prefixes))


def classify_build(framework: str, figures: Figures) -> str:
    """Return the kind of build of a framework: CPU, CUDA or ROCm; empty if neither version nor description tells."""
    own = [version for name, version in figures.versions.items() if name.startswith(list_package_prefixes(framework))]
    # The version decides if it tells: a description may name a library that the build does not use.
    for text in (" ".join(own), figures.build_info):
        for kind, sign in BUILD_SIGNS.items():
            if sign.search(text):
                return kind
    return ""


def list_package_prefixes(framework: str) -> tuple[str, ...]:
    """Return how the names of a framework's own packages begin: `jaxlib` is jax's. An unknown one owns any package."""
    entry = load_frameworks().get(framework)
    return (framework, *entry.distributions, *entry.also_needs) if entry else ("",)
