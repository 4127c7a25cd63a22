"""Environments in words: what is being made, and what a run was measured in."""

import platform
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from orchestrator.environments import Environment
from orchestrator.environments.provision import Event, Made, Making, Resolving, Waiting
from orchestrator.report.units import duration, printable, size
from schemas.environment import EnvironmentRecord

TOLD = ("torch", "tensorflow", "tensorflow-cpu", "keras", "jax", "jaxlib", "onnxruntime", "onnxruntime-gpu", "openvino")
"""Packages that are named of an environment, as far as it has them."""


def line(event: Event) -> str:
    """One line for each step of making an environment."""
    match event:
        case Resolving(definition, installer):
            asked = ", ".join(definition.asked)
            return printable(f"environment {definition.name}: {installer} works out what it takes: {asked}")
        case Waiting(definition, process):
            return printable(f"environment {definition.name}: process {process} is making it; waiting for that")
        case Making(definition, installer, packages):
            return printable(f"environment {definition.name}: {installer} installs {packages} packages")
        case Made(definition, ready):
            took, large = duration(ready.took_s * 1e9), size(ready.size_bytes)
            return printable(f"environment {definition.name}: ready after {took}, {large}")


def summaries(environments: Mapping[str, EnvironmentRecord]) -> Iterator[str]:
    """One line for each environment that a run was measured in."""
    return (printable(f"Environment {name}: {summary(record)}") for name, record in environments.items())


def summary(record: EnvironmentRecord) -> str:
    """An environment in one line: its Python, the frameworks in it, and the hash of everything."""
    told = [f"{name} {record.packages[name]}" for name in TOLD if name in record.packages]
    if "numpy" in record.packages:
        told.append(f"numpy {record.packages['numpy']}")
    return f"{', '.join([f'Python {record.python}', *told])}; freeze {record.freeze}"


def state(environment: Environment) -> str:
    """Whether an environment is there."""
    if environment.site is None:
        return "as it is"
    return "ready" if environment.record is not None else "made on first use"


def document(environment: Environment) -> dict[str, Any]:
    """What an environment is, or is to be. What is not known before it is made is null."""
    site, record = environment.site, environment.record
    ready = site.ready() if site is not None else None
    return {
        "name": environment.name,
        "state": state(environment),
        "python": record.python if record else (site.definition.python if site else "") or platform.python_version(),
        "interpreter": str(environment.python) if record else None,
        "asked": list(site.definition.asked) if site else None,
        "origin": site.definition.origin if site else None,
        "variables": dict(environment.variables),
        "freeze": record.freeze if record else None,
        "size_bytes": ready.size_bytes if ready else None,
    }


def table(environments: Iterable[Environment], *, accelerated: bool) -> Table:
    """A row for each environment that a sweep needs."""
    build = "an NVIDIA GPU is here: built-in ones take CUDA builds" if accelerated else "no NVIDIA GPU: CPU builds"
    drawn = Table(
        "environment",
        "Python",
        "asked for",
        "state",
        title=f"Environments ({build})",
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    for each in environments:
        said = document(each)
        large = f", {size(said['size_bytes'])}" if said["size_bytes"] else ""
        asked = ", ".join(said["asked"]) if said["asked"] else "nothing: what is there"
        drawn.add_row(*(Text(printable(text)) for text in (each.name, said["python"], asked, said["state"] + large)))
    return drawn
