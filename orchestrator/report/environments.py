"""Environments in words: the progress of their creation, and a summary for each run."""

import platform
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from orchestrator.environments.lookup import Environment
from orchestrator.environments.provisioner import Made, Making, ProvisioningEvent, Resolving, Waiting
from orchestrator.format import format_duration, format_size, to_printable
from orchestrator.report.tables import make_table
from schemas.environment import EnvironmentRecord

# Packages named in the summary of an environment that has them.
SUMMARISED_PACKAGES = (
    "torch",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "jax",
    "jaxlib",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
)


def format_progress(event: ProvisioningEvent) -> str:
    """Return one line for a step in the creation of an environment."""
    match event:
        case Resolving(definition, installer):
            asked = ", ".join(definition.all_requirements)
            return to_printable(f"environment {definition.name}: {installer} resolves {asked}")
        case Waiting(definition, process):
            return to_printable(f"environment {definition.name}: waiting for process {process}, which is creating it")
        case Making(definition, installer, packages):
            return to_printable(f"environment {definition.name}: {installer} installs {packages} packages")
        case Made(definition, ready):
            took, large = format_duration(ready.took_s * 1e9), format_size(ready.size_bytes)
            return to_printable(f"environment {definition.name}: ready after {took}, {large}")


def summarise_environments(environments: Mapping[str, EnvironmentRecord]) -> Iterator[str]:
    """Yield one line for each environment of a run."""
    return (
        to_printable(f"Environment {name}: {summarise_environment(record)}") for name, record in environments.items()
    )


def summarise_environment(record: EnvironmentRecord) -> str:
    """Return an environment in one line: its Python, its frameworks, and the hash of all packages."""
    told = [f"{name} {record.packages[name]}" for name in SUMMARISED_PACKAGES if name in record.packages]
    if "numpy" in record.packages:
        told.append(f"numpy {record.packages['numpy']}")
    return f"{', '.join([f'Python {record.python}', *told])}; freeze {record.freeze}"


def describe_state(environment: Environment) -> str:
    """Return in words whether an environment is ready."""
    if environment.site is None:
        return "as it is"
    return "ready" if environment.record is not None else "made on first use"


def environment_to_dict(environment: Environment) -> dict[str, Any]:
    """Return an environment as data. What is unknown before it is created is null."""
    site, record = environment.site, environment.record
    ready = site.read_marker() if site is not None else None
    # Until an environment is created, its definition names the Python, which is by default this interpreter's.
    return {
        "name": environment.name,
        "state": describe_state(environment),
        "python": record.python if record else (site.definition.python if site else "") or platform.python_version(),
        "interpreter": str(environment.python) if record else None,
        "asked": list(site.definition.all_requirements) if site else None,
        "origin": site.definition.origin if site else None,
        "variables": dict(environment.variables),
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
        drawn.add_row(*(Text(to_printable(text)) for text in (each.name, said["python"], asked, said["state"] + large)))
    return drawn
