"""Lookup of environments by name: the interpreter that runs a cell, and the packages beside it.

To find an environment starts no process. To inspect it asks an interpreter, where that must be looked for.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.environments import interpreters
from orchestrator.environments.cache import EnvironmentCache, hold_environments
from orchestrator.environments.definitions import EnvironmentDefinitions
from orchestrator.environments.environment import Environment
from orchestrator.errors import UsageError, check_utf8
from orchestrator.files.cache_folder import find_cache_folder
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.modes import find_mode
from schemas.catalog import WORKER_REQUIREMENTS, Framework
from schemas.environment import CURRENT, DEFAULT, EnvironmentRecord, EnvironmentSpecs
from schemas.job import Cell, Export, JobSpec


@dataclass(frozen=True, slots=True)
class Environments:
    """Environments by their names, for one sweep. Each is looked up once."""

    own: EnvironmentSpecs = field(default_factory=dict)
    cache: EnvironmentCache = field(default_factory=lambda: EnvironmentCache(find_cache_folder()))
    opened: set[tuple[str, str]] = field(default_factory=set)
    """Models, by their code, that a framework opens as they are although others are exported for it."""
    _found: dict[str, Environment] = field(default_factory=dict)
    _failures: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Environment:
        """Find the environment of a name, without a question to any interpreter.

        Raises:
            UsageError: it does not exist, or its definition is invalid.
        """
        if name not in self._found:
            self._found[name] = self._look_up(name)
        return self._found[name]

    def inspect(self, name: str) -> Environment:
        """Find the environment of a name. If its interpreter must be looked for or asked, do so.

        Raises:
            UsageError: as in `find`, or there is no such interpreter.
        """
        found = self.find(name)
        if not found.is_inspected:
            found = self._found[name] = self._ask(found)
        return found

    def _look_up(self, name: str) -> Environment:
        if name == CURRENT:
            return Environment(name=name, record=interpreters.describe_current())
        if os.sep in name:
            check_executable(Path(name))
            return Environment(name=name)
        definition = EnvironmentDefinitions(self.own).find(name)
        known = interpreters.find_known_interpreter(definition.python, definition.name)
        environment = Environment(name=name, definition=definition)
        return environment if known is None else environment.locate(*known, self.cache)

    def _ask(self, environment: Environment) -> Environment:
        if environment.definition is not None:
            found = interpreters.find_interpreter(environment.definition.python, environment.name)
            return environment.locate(*found, self.cache)
        # Modules are asked for by name as well: a package may be importable without a distribution.
        wanted = {package for each in load_frameworks().values() for package in (each.package, *each.also_needs)}
        names = sorted(wanted | WORKER_REQUIREMENTS.keys())
        record, modules = interpreters.inspect_interpreter(Path(environment.name), names)
        return replace(environment, record=record, modules=modules)

    def remember(self, made: Iterable[Environment]) -> None:
        """Remember environments that have been made."""
        self._found.update((each.name, each) for each in made)

    def remember_failures(self, failures: Mapping[str, str]) -> None:
        """Remember environments that cannot be made, each with the reason: their cells cannot run."""
        self._failures.update(failures)

    def resolve_name(self, text: str, framework: str) -> str:
        """Return the name of the environment that a text means for a framework."""
        return load_frameworks()[framework].environment if text == DEFAULT else to_absolute_interpreter(text)

    def is_exported(self, cell: Cell) -> bool:
        """Return whether another framework exports the model of a cell."""
        exports = bool(load_frameworks()[cell.framework].exporter)
        return exports and (cell.framework, cell.code) not in self.opened

    def choose_export_environment(self, cell: Cell) -> str:
        """Return the environment that makes what a cell loads.

        It is the cell's, unless that is made here and another framework exports.
        """
        named = load_frameworks()[cell.framework].export_environment
        return cell.environment if is_external(cell) or not named else named

    def choose_reference_environment(self, cell: Cell, framework: str) -> str:
        """Return the environment of a framework that computes a cell's expected results.

        It is the cell's, unless that is made here for another framework.
        """
        own = is_external(cell) or cell.framework == framework
        return cell.environment if own else load_frameworks()[framework].environment

    def find_for_job(self, spec: JobSpec) -> Environment:
        """Find the environment that a job runs in."""
        exports = isinstance(spec.purpose, Export)
        return self.find(self.choose_export_environment(spec.cell) if exports else spec.cell.environment)

    def find_for_cells(self, cells: Iterable[Cell]) -> dict[str, Environment]:
        """Find all environments in which jobs of these cells run, by name."""
        names: list[str] = []
        for cell in cells:
            names.append(cell.environment)
            if self.is_exported(cell):
                names.append(self.choose_export_environment(cell))
        return {name: self.find(name) for name in dict.fromkeys(names)}

    def inspect_for_cells(self, cells: Iterable[Cell]) -> bool:
        """Inspect all environments in which jobs of these cells run; return True if that told anything new.

        Raises:
            UsageError: as in `inspect`.
        """
        unknown = [name for name, each in self.find_for_cells(cells).items() if not each.is_inspected]
        return bool([self.inspect(name) for name in unknown])

    def is_ready(self, framework: Framework) -> bool:
        """Return True if a framework can be measured at once in its default environment."""
        found = self.inspect(framework.environment)
        return found.record is not None and not found.explain_missing(framework)

    def list_missing(self, cells: Iterable[Cell]) -> list[Environment]:
        """Return the environments that these cells need and that must be made first."""
        every = self.find_for_cells(cells).values()
        return [each for each in every if each.definition is not None and each.record is None]

    @contextmanager
    def hold_for_cells(self, cells: Iterable[Cell]) -> Iterator[dict[str, EnvironmentRecord]]:
        """Yield the records of all environments that these cells need, and meanwhile let nobody remove one.

        Raises:
            UsageError: one has just been removed.
        """
        every = self.find_for_cells(cells)
        with hold_environments(each.folder for each in every.values() if each.folder is not None):
            yield {name: each.record for name, each in every.items() if each.record is not None}

    def explain_refusal(self, cell: Cell) -> str:
        """Explain why a cell cannot run in its environment, or its model be exported; empty if it may be tried."""
        framework, own = load_frameworks()[cell.framework], self.find(cell.environment)
        for name in self.find_for_cells([cell]):
            if name in self._failures:
                return self._failures[name]
        if reason := own.explain_other_framework(framework) or own.explain_missing(framework, find_mode(cell).needs):
            return reason
        return (
            self.find(self.choose_export_environment(cell)).explain_missing_for_export(framework)
            if self.is_exported(cell)
            else ""
        )


def is_external(cell: Cell) -> bool:
    """Return True if a cell runs in an environment into which nothing is installed here."""
    return cell.environment == CURRENT or os.sep in cell.environment


def to_absolute_interpreter(text: str) -> str:
    """Make an interpreter's path absolute; leave a name alone. Links stay: they tell which environment is meant."""
    return str(Path(text).expanduser().absolute()) if os.sep in text else text


def check_executable(path: Path) -> None:
    """Check that a path may be that of an interpreter.

    Raises:
        UsageError: it is a folder, is not executable, or is not UTF-8.
    """
    check_utf8(path, "name another interpreter")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name the interpreter in it, such as {path.joinpath('bin', 'python')}")
    if not os.access(path, os.X_OK):
        raise UsageError(f"{path} is not an executable interpreter; name one, or an environment")
