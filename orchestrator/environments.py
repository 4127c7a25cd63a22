"""Which interpreter runs a cell, and what is installed there."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import unknown
from schemas.catalog import Framework

CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python interpreter with what is installed beside it."""

    name: str
    python: Path

    def lacks(self, framework: Framework) -> str:
        """Why a framework cannot run here, with the command that would change it; empty if it can."""
        needed = {framework.package: framework.requirement} | framework.also_needs
        missing = [package for package in needed if importlib.util.find_spec(package) is None]
        if not missing:
            return ""
        names, requirements = ", ".join(missing), " ".join(needed[package] for package in missing)
        verb = "are" if len(missing) > 1 else "is"
        return f"{names} {verb} not installed here; `{self.python} -m pip install {requirements}` does it"


def find(name: str) -> Environment:
    """The environment of that name: for now, the one that runs this program.

    Raises:
        UsageError: there is none of that name.
    """
    if name != CURRENT:
        raise unknown("environment", name, [CURRENT])
    return Environment(CURRENT, Path(sys.executable))
