"""The environments that there are: as a table, one by one, as a lock, and what became of those that were to go."""

import platform
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.environments import Environment, Environments
from orchestrator.environments.provision import Site
from orchestrator.environments.upkeep import Removed
from orchestrator.errors import UsageError
from orchestrator.report.making import document
from orchestrator.report.units import printable, size
from schemas.catalog import WORKER


def inventory(environments: Environments, names: Iterable[str]) -> dict[str, Any]:
    """Where environments are kept, what they take together, and each that has a name."""
    places = list(environments.home.places())
    ready = [each for place in places if (each := place.ready()) is not None]
    return {
        "home": str(environments.home.root),
        "size_bytes": sum(each.size_bytes for each in ready),
        "unfinished": [str(place.folder) for place in places if place.ready() is None],
        "environments": [entry(environments, name) for name in dict.fromkeys(names)],
    }


def entry(environments: Environments, name: str) -> dict[str, Any]:
    """One environment; if its definition cannot be understood, that."""
    try:
        return document(environments.find(name)) | {"problem": None}
    except UsageError as error:
        return {"name": name, "problem": str(error)}


def show_inventory(console: Console, said: dict[str, Any]) -> None:
    """The same as a table, with what all take together below."""
    table = Table(
        "environment", "state", "Python", "asked for", "freeze", "size", box=box.SIMPLE_HEAD, padding=0, show_edge=False
    )
    for each in said["environments"]:
        if each["problem"]:
            table.add_row(Text(printable(each["name"])), Text(printable(each["problem"])))
            continue
        large = size(each["size_bytes"]) if each["size_bytes"] else ""
        asked, freeze = "\n".join(own(each["asked"])), (each["freeze"] or "")[:8]
        cells = (each["name"], each["state"], each["python"], asked, freeze, large)
        table.add_row(*(Text(printable(text)) for text in cells))
    console.print(table)
    console.print()
    home = printable(said["home"])
    console.print(Text(f"{home}: {size(said['size_bytes'])} in environments that are ready."), soft_wrap=True)
    for folder in said["unfinished"]:
        console.print(Text(f"Not whole: {printable(folder)}; `env prune` removes it."), soft_wrap=True)


def own(asked: Iterable[str] | None) -> list[str]:
    """What was asked for, less what every worker needs."""
    return [each for each in asked or () if each not in WORKER.values()]


def story(environment: Environment) -> dict[str, Any]:
    """All that is known of one environment."""
    site, record = environment.site, environment.record
    ready = site.ready() if site is not None else None
    place = site.place if site is not None else None
    return document(environment) | {
        "made": ready.made if ready else None,
        "took_s": ready.took_s if ready else None,
        "installer": ready.installer if ready else None,
        "base": ready.base if ready else None,
        "log": str(place.log) if place is not None and place.log.exists() else None,
        "resolved": list(site.pinned) if site is not None else None,
        "packages": record.packages if record else None,
    }


def show_story(console: Console, said: dict[str, Any]) -> None:
    """The same, line by line. Hashes are left out: `env lock` has them."""
    for name, value in said.items():
        if value in (None, "", [], {}) or name == "resolved":
            continue
        if isinstance(value, dict):
            shown = ", ".join(f"{key} {each}" for key, each in value.items())
        elif isinstance(value, list):
            shown = ", ".join(map(str, value))
        else:
            shown = size(value) if name == "size_bytes" else str(value)
        title = name.removesuffix("_bytes").removesuffix("_s").replace("_", " ")
        console.print(Text(f"{title:>12}  {printable(shown)}"), soft_wrap=True)


def lock_text(site: Site, pinned: Sequence[str]) -> str:
    """A lock: a line for each package, without any host or path unless one was asked for by it."""
    asked = ", ".join(site.definition.asked)
    said = [f"# {asked}", f"# for {platform.python_implementation()} on {platform.machine()} {platform.system()}"]
    lines = [line.replace(" --hash=", " \\\n    --hash=") for line in pinned]
    return "\n".join([*said, *lines, ""])


def removals(removed: Iterable[Removed]) -> list[dict[str, Any]]:
    """What was removed, as data."""
    return [
        {"folder": str(each.place.folder), "size_bytes": each.size_bytes, "removed": not each.busy} for each in removed
    ]


def removal_lines(removed: Sequence[Removed]) -> Iterator[str]:
    """The same in words."""
    for each in removed:
        what = "is in use, and stays" if each.busy else "is removed"
        yield printable(f"{each.place.folder.name} ({size(each.size_bytes)}) {what}")
    freed = sum(each.size_bytes for each in removed if not each.busy)
    yield f"{size(freed)} freed." if removed else "Nothing to remove."
