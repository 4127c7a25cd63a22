"""The interpreter that runs a cell, and the packages installed beside it."""

import importlib.util
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement

from orchestrator.environments import interpreters
from orchestrator.environments.cache import EnvironmentCache, find_cache_folder, hold_environments
from orchestrator.environments.definitions import EXPORT_SUFFIX, EnvironmentDefinitions
from orchestrator.environments.provisioner import PlannedEnvironment, locate_environment
from orchestrator.errors import UsageError
from orchestrator.registry.frameworks import load_frameworks
from schemas.catalog import WORKER_REQUIREMENTS, Framework
from schemas.environment import CURRENT, DEFAULT, EnvironmentRecord, EnvironmentSpecs
from schemas.job import Cell, Export, JobSpec


@dataclass(frozen=True, slots=True)
class Environment:
    """Python interpreter with the packages installed beside it. One that is made here has a site.

    `record` and `modules` describe what was found there; None until it is made, or if it was not asked.
    """

    name: str
    python: Path
    record: EnvironmentRecord | None = None
    modules: frozenset[str] | None = None
    site: PlannedEnvironment | None = None

    def explain_missing(self, framework: Framework) -> str:
        """Explain what a framework lacks here, and how to add it; empty for nothing, or if that is not known yet."""
        return self._describe_missing({framework.package: framework.requirement} | WORKER_REQUIREMENTS)

    def explain_missing_for_export(self, framework: Framework) -> str:
        """Explain what the export of a framework's models lacks here; empty as above."""
        return self._describe_missing(framework.also_needs | WORKER_REQUIREMENTS if framework.exporter else {})

    @property
    def is_made(self) -> bool:
        """Return True if a job can be started here now."""
        return self.site is None or self.record is not None

    @property
    def freeze(self) -> str:
        """Return the hash of all installed packages; empty until the environment is made."""
        return self.record.freeze if self.record else ""

    @property
    def variables(self) -> Mapping[str, str]:
        """Return the variables that are set for every job here."""
        return {} if self.site is None else self.site.definition.variables

    def _describe_missing(self, needed: Mapping[str, str]) -> str:
        missing = [package for package in needed if not self._has_package(package, needed[package])]
        if not missing:
            return ""
        names = ", ".join(WORKER_REQUIREMENTS.get(package, package) for package in missing)
        requirements = " ".join(shlex.quote(needed[package]) for package in missing)
        verb = "are" if len(missing) > 1 else "is"
        if self.site is not None:
            return f"{names} {verb} not in the environment {self.name}; add {requirements} to its requirements"
        where = "here" if self.name == CURRENT else "there"
        return f"{names} {verb} not installed {where}; run `{self.python} -m pip install {requirements}`"

    def _has_package(self, package: str, requirement: str) -> bool:
        """Return True if a package is present; one that every worker needs, also in a suitable version."""
        if self.name == CURRENT:
            return importlib.util.find_spec(package) is not None
        version = self.record.packages.get(package) if self.record and package in WORKER_REQUIREMENTS else None
        if version is not None and not Requirement(requirement).specifier.contains(version, prereleases=True):
            return False
        return self.modules is None or package in self.modules


@dataclass(frozen=True, slots=True)
class Environments:
    """Environments by their names, for one sweep. Each is looked up once."""

    own: EnvironmentSpecs = field(default_factory=dict)
    home: EnvironmentCache = field(default_factory=lambda: EnvironmentCache(find_cache_folder()))
    _found: dict[str, Environment] = field(default_factory=dict)

    def find(self, name: str) -> Environment:
        """Find the environment of a name.

        Raises:
            UsageError: it does not exist, or its definition is invalid.
        """
        if name not in self._found:
            self._found[name] = self._look_up(name)
        return self._found[name]

    def _look_up(self, name: str) -> Environment:
        if name == CURRENT:
            return Environment(CURRENT, Path(sys.executable), interpreters.describe_current())
        if os.sep in name:
            return inspect_external(name)
        site = locate_environment(EnvironmentDefinitions(self.own).find(name), self.home)
        ready, place = site.read_marker(), site.place
        if ready is None or place is None:
            return Environment(name, Path(), site=site)
        return Environment(name, place.python, ready.environment, frozenset(ready.modules), site)

    def forget(self) -> None:
        """Forget all look-ups, because missing environments have been made."""
        self._found.clear()

    def resolve_name(self, text: str, framework: str) -> str:
        """Return the name of the environment that a text means for a framework."""
        return load_frameworks()[framework].environment if text == DEFAULT else to_absolute_interpreter(text)

    def choose_export_environment(self, cell: Cell) -> str:
        """Return the environment that makes what a cell loads.

        It is the cell's, unless that is made here and another framework exports.
        """
        exporter = load_frameworks()[cell.framework].exporter
        return cell.environment if is_external(cell) or not exporter else f"{exporter}{EXPORT_SUFFIX}"

    def choose_reference_environment(self, cell: Cell, framework: str) -> str:
        """Return another framework's environment for a cell: its default, unless the cell's is not made here."""
        return cell.environment if is_external(cell) else load_frameworks()[framework].environment

    def find_for_job(self, spec: JobSpec) -> Environment:
        """Find the environment that a job runs in."""
        exports = isinstance(spec.purpose, Export)
        return self.find(self.choose_export_environment(spec.cell) if exports else spec.cell.environment)

    def find_for_cells(self, cells: Iterable[Cell]) -> dict[str, Environment]:
        """Find all environments in which jobs of these cells run, by name."""
        names: list[str] = []
        for cell in cells:
            names.append(cell.environment)
            if load_frameworks()[cell.framework].exporter:
                names.append(self.choose_export_environment(cell))
        return {name: self.find(name) for name in dict.fromkeys(names)}

    def is_ready(self, framework: Framework) -> bool:
        """Return True if a framework can be measured at once in its default environment."""
        found = self.find(framework.environment)
        return found.record is not None and not found.explain_missing(framework)

    def list_missing(self, cells: Iterable[Cell]) -> list[PlannedEnvironment]:
        """Return the environments that these cells need and that must be made first."""
        every = self.find_for_cells(cells).values()
        return [each.site for each in every if each.site is not None and each.record is None]

    @contextmanager
    def hold_for_cells(self, cells: Iterable[Cell]) -> Iterator[dict[str, EnvironmentRecord]]:
        """Yield the records of all environments that these cells need, and meanwhile let nobody remove one.

        Raises:
            UsageError: one has just been removed.
        """
        every = self.find_for_cells(cells)
        sites = (each.site for each in every.values() if each.site is not None)
        with hold_environments(site.place for site in sites if site.place is not None):
            yield {name: each.record for name, each in every.items() if each.record is not None}

    def explain_refusal(self, cell: Cell) -> str:
        """Explain why a cell cannot run in its environment, or its model be exported; empty if it may be tried."""
        framework, own = load_frameworks()[cell.framework], self.find(cell.environment)
        if reason := explain_other_framework(own, framework) or own.explain_missing(framework):
            return reason
        return (
            self.find(self.choose_export_environment(cell)).explain_missing_for_export(framework)
            if framework.exporter
            else ""
        )

    def find_worker_packages(self, packages: Path) -> Path:
        """Return the folder from which a worker imports this project's packages, and nothing else.

        If the project is installed among other distributions, the folder holds links to these two packages alone.
        """
        return self.home.link_worker_packages(packages) if next(packages.glob("*.dist-info"), None) else packages


def is_external(cell: Cell) -> bool:
    """Return True if a cell runs in an environment into which nothing is installed here."""
    return cell.environment == CURRENT or os.sep in cell.environment


def to_absolute_interpreter(text: str) -> str:
    """Make an interpreter's path absolute; leave a name alone. Links stay: they tell which environment is meant."""
    return str(Path(text).expanduser().absolute()) if os.sep in text else text


def explain_other_framework(environment: Environment, framework: Framework) -> str:
    """Explain that an environment not made yet is meant for another framework; empty if it is not."""
    site = environment.site
    if site is None or environment.modules is not None or site.definition.serves in ("", framework.name):
        return ""
    return f"the environment {environment.name} is for {site.definition.serves}, and {framework.name} is not in it"


def inspect_external(name: str) -> Environment:
    """Inspect an external interpreter, into which nothing is installed.

    Raises:
        UsageError: it is none.
    """
    path = Path(name)
    if path.is_dir():
        raise UsageError(f"{name} is a folder; name the interpreter in it, such as {path.joinpath('bin', 'python')}")
    if not os.access(path, os.X_OK):
        raise UsageError(f"{name} is not an executable interpreter; name one, or an environment")
    # Modules are asked for by name as well: a package may be importable without a distribution.
    wanted = {package for each in load_frameworks().values() for package in (each.package, *each.also_needs)}
    found = interpreters.inspect_interpreter(path, sorted(wanted | WORKER_REQUIREMENTS.keys()))
    return Environment(name, path, found.record, found.modules)
