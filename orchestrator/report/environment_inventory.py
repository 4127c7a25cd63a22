"""The environments on this machine: the inventory, the details of one, its lock, and removals."""

import platform
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Column
from rich.text import Text

from orchestrator.environments.cache import locate_log, read_marker
from orchestrator.environments.environment import Environment
from orchestrator.environments.lookup import Environments
from orchestrator.environments.maintenance import RemovalResult
from orchestrator.errors import UsageError
from orchestrator.format import format_size, to_printable
from orchestrator.report.environments import NOT_INSPECTED, environment_to_dict
from orchestrator.report.tables import make_table
from schemas.catalog import WORKER_REQUIREMENTS


def build_inventory(environments: Environments, names: Iterable[str]) -> dict[str, Any]:
    """Return the folder of the environments, their size together, and an entry for each name."""
    markers = {folder: read_marker(folder) for folder in environments.cache.list_folders()}
    return {
        "home": str(environments.cache.root),
        "size_bytes": sum(ready.size_bytes for ready in markers.values() if ready is not None),
        "unfinished": [str(folder) for folder, ready in markers.items() if ready is None],
        "environments": [describe_environment(environments, name) for name in dict.fromkeys(names)],
    }


def describe_environment(environments: Environments, name: str) -> dict[str, Any]:
    """Return one environment, or the problem with its definition."""
    # One faulty definition must not hide the other environments.
    try:
        return environment_to_dict(environments.find(name)) | {"problem": None}
    except UsageError as error:
        return {"name": name, "problem": str(error)}


def show_inventory(console: Console, said: dict[str, Any]) -> None:
    """Print the same as a table, with the size of all environments below."""
    state_column = Column("state", min_width=len(NOT_INSPECTED))
    table = make_table("environment", state_column, "Python", "asked for", "freeze", "size")
    for each in said["environments"]:
        if each["problem"]:
            table.add_row(Text(to_printable(each["name"])), Text(to_printable(each["problem"])))
            continue
        large = format_size(each["size_bytes"]) if each["size_bytes"] else ""
        asked, freeze = "\n".join(drop_worker_requirements(each["asked"])), (each["freeze"] or "")[:8]
        state, python = each["state"] or NOT_INSPECTED, each["python"] or NOT_INSPECTED
        cells = (each["name"], state, python, asked, freeze, large)
        table.add_row(*(Text(to_printable(text)) for text in cells))
    console.print(table)
    console.print()
    home = to_printable(said["home"])
    console.print(Text(f"{home}: {format_size(said['size_bytes'])} in ready environments."), soft_wrap=True)
    for folder in said["unfinished"]:
        console.print(Text(f"Incomplete: {to_printable(folder)}; `env prune` removes it."), soft_wrap=True)


def drop_worker_requirements(asked: Iterable[str] | None) -> list[str]:
    """Return the requirements that were asked for, without those of every worker."""
    return [each for each in asked or () if each not in WORKER_REQUIREMENTS.values()]


def build_environment_details(environment: Environment) -> dict[str, Any]:
    """Return all that is known about one environment."""
    folder, record = environment.folder, environment.record
    ready = read_marker(folder) if folder else None
    log = locate_log(folder) if folder else None
    return environment_to_dict(environment) | {
        "made": ready.made if ready else None,
        "took_s": ready.took_s if ready else None,
        "installer": ready.installer if ready else None,
        "base": ready.base if ready else None,
        "log": str(log) if log and log.exists() else None,
        "resolved": list(environment.pinned) if environment.definition else None,
        "packages": record.packages if record else None,
    }


def show_environment_details(console: Console, said: dict[str, Any]) -> None:
    """Print the same, line by line. Hashes are left out: `env lock` prints them."""
    for name, value in said.items():
        if value in (None, "", [], {}) or name == "resolved":
            continue
        if isinstance(value, dict):
            shown = ", ".join(f"{key} {each}" for key, each in value.items())
        elif isinstance(value, list):
            shown = ", ".join(map(str, value))
        else:
            shown = format_size(value) if name == "size_bytes" else str(value)
        title = name.removesuffix("_bytes").removesuffix("_s").replace("_", " ")
        console.print(Text(f"{title:>12}  {to_printable(shown)}"), soft_wrap=True)


def format_lock(environment: Environment) -> str:
    """Return a lock with a line for each package, and without a host or path unless a requirement names one."""
    asked = ", ".join(environment.requirements)
    said = [f"# {asked}", f"# for {platform.python_implementation()} on {platform.machine()} {platform.system()}"]
    # A backslash at its end continues a line, as pip reads it.
    lines = [line.replace(" --hash=", " \\\n    --hash=") for line in environment.pinned]
    return "\n".join([*said, *lines, ""])


def removals_to_list(removed: Iterable[RemovalResult]) -> list[dict[str, Any]]:
    """Return the removals as data."""
    return [{"folder": str(each.folder), "size_bytes": each.size_bytes, "removed": not each.busy} for each in removed]


def describe_removals(removed: Sequence[RemovalResult]) -> Iterator[str]:
    """Yield the same in words."""
    for each in removed:
        what = "is in use and stays" if each.busy else "was removed"
        yield to_printable(f"{each.folder.name} ({format_size(each.size_bytes)}) {what}")
    freed = sum(each.size_bytes for each in removed if not each.busy)
    yield f"{format_size(freed)} freed." if removed else "Nothing to remove."
