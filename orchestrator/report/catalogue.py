"""The catalogue (`list`) and the plan of a sweep (`plan`), as tables and as documents."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.analysis.verified_modes import VerifiedOutcomes
from orchestrator.environments.lookup import Environments
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.workloads import load_workloads
from orchestrator.report import environments
from orchestrator.report.tables import make_table, name_column
from schemas.catalog import TASKS, Framework
from schemas.job import Task
from schemas.record import Outcome
from schemas.workloads import SUITES

# The framework that tests this program: its modes are listed in one row.
TEST_FRAMEWORK = "synthetic"


def build_list_document(known: VerifiedOutcomes | None = None) -> dict[str, Any]:
    """Return frameworks with the state of their default environments, workloads, suites, tasks, and verified modes."""
    here = Environments()
    return {
        "frameworks": [
            framework.model_dump(mode="json")
            | {
                "missing": explain_unavailable(here, framework) or None,
                "state": environments.describe_state(here.find(framework.environment)),
            }
            for framework in load_frameworks().values()
        ],
        "workloads": [workload.model_dump(mode="json", by_alias=True) for workload in load_workloads().values()],
        "suites": [suite.model_dump(mode="json") for suite in SUITES],
        "tasks": list(TASKS),
        "verified": known or {},
    }


def explain_unavailable(here: Environments, framework: Framework) -> str:
    """Return why a framework cannot run in its default environment; empty if it can or if that is not yet created."""
    return here.find(framework.environment).explain_missing(framework)


def describe_default_environment(here: Environments, framework: Framework) -> str:
    """Return why a framework cannot run in its default environment, or else that environment's state."""
    state = environments.describe_state(here.find(framework.environment)) or environments.NOT_INSPECTED
    return explain_unavailable(here, framework) or f"{framework.environment}: {state}"


def show_list(console: Console, known: VerifiedOutcomes | None = None) -> None:
    """Print the same as tables."""
    console.print(build_modes_table())
    console.print()
    console.print(build_workloads_table())
    console.print("Name your own workload by its folder; `new-workload NAME` creates one.", highlight=False)
    console.print()
    suites = make_table("suite", "description", "workloads", title="Suites (--suite)")
    for suite in SUITES:
        suites.add_row(suite.name, suite.summary, ", ".join(suite.workloads))
    console.print(suites)
    console.print()
    console.print(f"Tasks: {', '.join(TASKS)}", highlight=False)
    if known:
        console.print()
        console.print(build_verified_table(known))


def build_modes_table() -> Table:
    """Return a table with a row for each mode. The many modes of the test framework take one row."""
    table, here = (
        make_table(name_column("mode"), "description", "environment", title="Frameworks and their modes"),
        Environments(),
    )
    for framework in load_frameworks().values():
        where = escape(describe_default_environment(here, framework))
        if framework.name == TEST_FRAMEWORK:
            names = ", ".join(mode.name for mode in framework.modes)
            table.add_row(framework.name, f"for tests and the self-test: {names}", where)
            continue
        for mode in framework.modes:
            note = " (deprecated upstream)" if mode.deprecated else ""
            table.add_row(f"{framework.name}:{mode.name}", mode.summary + note, where)
    return table


def build_workloads_table() -> Table:
    """Return a table with a row for each workload."""
    table = make_table("workload", "description", "parameters", title="Workloads")
    for workload in load_workloads().values():
        lines = [f"{each.name}={each.default}  {each.summary}" for each in workload.parameters]
        lines += [f":{name}  {format_preset(preset)}" for name, preset in workload.presets.items()]
        origin = f" (installed: {workload.package})" if workload.package else ""
        table.add_row(workload.name, workload.summary + origin, "\n".join(lines))
    return table


def build_verified_table(known: VerifiedOutcomes) -> Table:
    """Return a table of the workloads that each mode last computed correctly, and of its other outcomes."""
    title = "Outcomes in the newest runs (forward and backward where no task is named)"
    table = make_table(name_column("mode"), "correct on", "not correct on", title=title)
    for mode, workloads in sorted(known.items()):
        right = {name: [task for task, got in tasks.items() if got == "measured"] for name, tasks in workloads.items()}
        names = [format_workload(workload, right[workload]) for workload in sorted(right) if right[workload]]
        table.add_row(mode, escape(", ".join(names)), escape("; ".join(describe_failures(workloads))))
    return table


def describe_failures(workloads: Mapping[str, Mapping[Task, Outcome]]) -> Iterator[str]:
    """Yield, by task and outcome, the workloads that a mode did not compute correctly."""
    for task in TASKS:
        tried = [(name, tasks[task]) for name, tasks in sorted(workloads.items()) if task in tasks]
        for outcome in sorted({got for _, got in tried} - {"measured"}):
            names = [name for name, got in tried if got == outcome]
            which = f"every {task}" if len(names) == len(tried) > 1 else f"{task} of {', '.join(names)}"
            yield f"{which}: {outcome}"


def format_workload(workload: str, tasks: Collection[str]) -> str:
    """Return a workload, followed by its tasks unless they include forward and backward."""
    return workload if {*tasks} >= {"forward", "backward"} else f"{workload} ({', '.join(tasks)})"


def format_preset(preset: Mapping[str, int]) -> str:
    """Return a preset as `hidden=64 length=32`."""
    return " ".join(f"{name}={value}" for name, value in preset.items())
