"""Completion of names in a shell: runs, frameworks with their modes, workloads with their presets, suites.

A catalog is imported only when its names are completed, because every command imports this module.
"""

import functools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ParamSpec

import typer

DEFAULT_RUNS = Path("runs")

# A shell inserts a completion as it is, and a folder that somebody sent may be named like a command.
SAFE_NAME = re.compile(r"[\w.+-]+", re.ASCII)

Given = ParamSpec("Given")


def complete_nothing_on_error(complete: Callable[Given, list[str]]) -> Callable[Given, list[str]]:
    """Make a completer return nothing where it would raise: a message would end up in the line being typed."""

    @functools.wraps(complete)
    def complete_safely(*given: Given.args, **named: Given.kwargs) -> list[str]:
        try:
            return complete(*given, **named)
        except Exception:  # a folder or a distribution may be broken in any way
            return []

    return complete_safely


@complete_nothing_on_error
def complete_run(context: typer.Context, incomplete: str) -> list[str]:
    """Return the runs in the folder that `--runs` names, and `latest`."""
    from orchestrator.records.store import LATEST, list_runs

    names = list_runs(Path(context.params.get("runs") or DEFAULT_RUNS))
    return [name for name in (LATEST, *names) if name.startswith(incomplete) and SAFE_NAME.fullmatch(name)]


@complete_nothing_on_error
def complete_frameworks(incomplete: str) -> list[str]:
    """Return frameworks, alone and with each mode, for the last item of a comma-separated list."""
    from orchestrator.registry.frameworks import load_frameworks

    return complete_list(
        incomplete,
        (
            name
            for framework in load_frameworks().values()
            for name in (framework.name, *(f"{framework.name}:{mode.name}" for mode in framework.modes))
        ),
    )


@complete_nothing_on_error
def complete_workloads(incomplete: str) -> list[str]:
    """Return workloads, alone and with each preset, for the last item of a comma-separated list."""
    from orchestrator.registry.workloads import load_workloads

    return complete_list(
        incomplete,
        (
            name
            for workload in load_workloads().values()
            for name in (workload.name, *(f"{workload.name}:{preset}" for preset in workload.presets))
        ),
    )


@complete_nothing_on_error
def complete_suite(incomplete: str) -> list[str]:
    """Return the names of suites."""
    from schemas.workloads import SUITES

    return [suite.name for suite in SUITES if suite.name.startswith(incomplete)]


def complete_list(incomplete: str, names: Iterable[str]) -> list[str]:
    """Complete the last item of a comma-separated list with the names that it does not have yet."""
    before, comma, last = incomplete.rpartition(",")
    chosen = before.split(",")
    return [f"{before}{comma}{name}" for name in names if name.startswith(last) and name not in chosen]
