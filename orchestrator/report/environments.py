"""Environments in words: the progress of their creation, and a summary for each run."""

import platform
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from orchestrator.environments.cache import read_marker
from orchestrator.environments.environment import Environment
from orchestrator.environments.provisioner import Made, Making, ProvisioningEvent, Resolving, Waiting
from orchestrator.format import format_duration, format_size, to_printable
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.report.tables import make_table
from schemas.environment import EnvironmentRecord

# Stands for what only an interpreter can tell, which no plan and no list asks.
NOT_INSPECTED = "not looked at yet"


def format_progress(event: ProvisioningEvent) -> str:
    """Return one line for a step in the creation of an environment."""
    match event:
        case Resolving(environment, installer):
            asked = ", ".join(environment.requirements)
            return to_printable(f"environment {environment.name}: {installer} resolves {asked}")
        case Waiting(environment, process):
            return to_printable(f"environment {environment.name}: waiting for process {process}, which is creating it")
        case Making(environment, installer, packages):
            cuda = ", with a CUDA build among them" if environment.cuda_packages else ""
            return to_printable(f"environment {environment.name}: {installer} installs {packages} packages{cuda}")
        case Made(environment, ready):
            took, large = format_duration(ready.took_s * 1e9), format_size(ready.size_bytes)
            return to_printable(f"environment {environment.name}: ready after {took}, {large}")


def summarise_environments(environments: Mapping[str, EnvironmentRecord]) -> Iterator[str]:
    """Yield one line for each environment of a run."""
    return (
        to_printable(f"Environment {name}: {summarise_environment(record)}") for name, record in environments.items()
    )


def summarise_environment(record: EnvironmentRecord) -> str:
    """Return an environment in one line: its Python, its frameworks, and the hash of all packages."""
    known = dict.fromkeys(name for each in load_frameworks().values() for name in each.distributions)
    told = [f"{name} {record.packages[name]}" for name in known if name in record.packages]
    build = ["CUDA build"] if record.has_cuda_build else []
    return f"{', '.join([f'Python {record.python}', *told, *build])}; freeze {record.freeze}"


def describe_state(environment: Environment) -> str | None:
    """Return in words whether an environment is ready; None if that is not known without a question to a Python."""
    if not environment.is_inspected:
        return None
    if environment.definition is None:
        return "as it is"
    return "ready" if environment.record is not None else "made on first use"


def environment_to_dict(environment: Environment) -> dict[str, Any]:
    """Return an environment as data. What is unknown before it is created, or looked at, is null."""
    definition, record = environment.definition, environment.record
    ready = read_marker(environment.folder) if environment.folder else None
    # Until an environment is created, its definition names the Python, which is by default this interpreter's.
    planned = None if definition is None else definition.python or platform.python_version()
    return {
        "name": environment.name,
        "state": describe_state(environment),
        "python": record.python if record else planned,
        "interpreter": str(environment.python) if record else None,
        "asked": list(definition.all_requirements) if definition else None,
        "origin": definition.origin if definition else None,
        "variables": dict(environment.variables),
        "build": "CUDA" if record and record.has_cuda_build else None,
        "freeze": record.freeze if record else None,
        "size_bytes": ready.size_bytes if ready else None,
    }


def build_environments_table(environments: Iterable[Environment], *, accelerated: bool) -> Table:
    """Return a table with a row for each environment that a sweep needs."""
    build = "NVIDIA GPU found: built-in ones use CUDA builds" if accelerated else "no NVIDIA GPU: CPU builds"
    drawn = make_table("environment", "Python", "asked for", "state", title=f"Environments ({build})")
    for each in environments:
        said = environment_to_dict(each)
        large = f", {format_size(said['size_bytes'])}" if said["size_bytes"] else ""
        asked = ", ".join(said["asked"]) if said["asked"] else "nothing: used as it is"
        texts = (each.name, said["python"] or NOT_INSPECTED, asked, (said["state"] or NOT_INSPECTED) + large)
        drawn.add_row(*(Text(to_printable(text)) for text in texts))
    return drawn
