"""`--version`: the versions of this program, of Python, and of the frameworks beside it."""

import platform
from importlib import metadata

from orchestrator.machine.interpreter_probe import PROJECT
from orchestrator.registry.frameworks import load_frameworks

COMMAND = "plumbline"


def describe_versions() -> str:
    """Describe the versions in one line each. No framework is imported; other environments have frameworks too."""
    names = dict.fromkeys(name for each in load_frameworks().values() for name in each.distributions)
    found = [(name, read_version(name)) for name in names]
    first = f"{COMMAND} {read_version(PROJECT) or 'of a source folder that is not installed'}"
    return "\n".join(
        [first, f"Python {platform.python_version()}", *(f"{name} {each}" for name, each in found if each)]
    )


def read_version(distribution: str) -> str:
    """Return the version of an installed distribution; empty if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
