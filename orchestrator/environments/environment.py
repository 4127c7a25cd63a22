"""Environment: a Python interpreter with the packages beside it, as far as it is known."""

import importlib.util
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from packaging.requirements import Requirement

from orchestrator.environments.cache import EnvironmentCache, find_python, hash_texts, read_marker
from orchestrator.environments.definitions import EnvironmentDefinition
from schemas.catalog import WORKER_REQUIREMENTS, Framework
from schemas.environment import CURRENT, EnvironmentRecord, is_cuda_package


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Python interpreter with the packages beside it: this program's, an external one, or one that is made here.

    Only the last has a `definition`. `base` is the interpreter that it is made with, and `build` tells that one's
    version, ABI and platform; both are unknown until an interpreter that has to be looked for is found. `pinned` are
    exact versions, and `folder` is the place for them; unknown until the requirements are resolved. `record` and
    `modules` tell what is there; None until it is made, or asked.
    """

    name: str
    definition: EnvironmentDefinition | None = None
    base: str = ""
    build: str = ""
    pinned: tuple[str, ...] = ()
    folder: Path | None = None
    record: EnvironmentRecord | None = None
    modules: frozenset[str] | None = None

    @property
    def python(self) -> Path | None:
        """Return the interpreter that runs its jobs; None until its folder is known."""
        if self.definition is None:
            return Path(sys.executable if self.name == CURRENT else self.name)
        return None if self.folder is None else find_python(self.folder)

    @property
    def is_inspected(self) -> bool:
        """Return True unless an interpreter has to be looked for, or asked, before more is known."""
        return self.record is not None or bool(self.build)

    @property
    def freeze(self) -> str:
        """Return the hash of all installed packages; empty until the environment is made."""
        return self.record.freeze if self.record else ""

    @property
    def variables(self) -> Mapping[str, str]:
        """Return the variables that are set for every job here."""
        return {} if self.definition is None else self.definition.variables

    @property
    def stem(self) -> str:
        """Return the beginning of its folder's name; empty if it is not made here."""
        return "" if self.definition is None else self.definition.stem

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return the requirements of its definition, with those of every worker."""
        return () if self.definition is None else self.definition.all_requirements

    @property
    def cuda_packages(self) -> list[str]:
        """Return the packages among its exact versions that only a GPU of NVIDIA needs."""
        return [name for each in self.pinned if is_cuda_package(name := re.split(r"[\s=@\[]", each)[0])]

    @property
    def request_key(self) -> str:
        """Return the key of its requirements and its Python."""
        return hash_texts(*sorted(self.requirements), self.build)

    def locate(self, base: Path, build: str, cache: EnvironmentCache) -> "Environment":
        """Return it with the Python that it is made with, and what a cache has of it."""
        found = replace(self, base=str(base), build=build)
        locked = () if self.definition is None else self.definition.pinned
        pinned = locked or cache.read_resolution(found.stem, found.request_key)
        return found.pin_versions(pinned, cache) if pinned else found

    def pin_versions(self, pinned: tuple[str, ...], cache: EnvironmentCache) -> "Environment":
        """Return it with these exact versions, in the folder for them and for its Python, and with what is there."""
        folder = cache.locate_folder(self.stem, hash_texts(*pinned, self.build))
        return replace(self, pinned=pinned, folder=folder).read_contents()

    def read_contents(self) -> "Environment":
        """Return it with what is in its folder."""
        ready = None if self.folder is None else read_marker(self.folder)
        if ready is None:
            return replace(self, record=None, modules=None)
        return replace(self, record=ready.environment, modules=frozenset(ready.modules))

    def explain_missing(self, framework: Framework, needs: Mapping[str, str] = MappingProxyType({})) -> str:
        """Explain what a framework and a mode of it lack here, and how to add it.

        Empty for nothing, or if that is not known yet. `needs` are the mode's own requirements.
        """
        needed = {framework.package: framework.requirement, **needs}
        return self._describe_missing(needed | WORKER_REQUIREMENTS)

    def explain_missing_for_export(self, framework: Framework) -> str:
        """Explain what the export of a framework's models lacks here; empty as above."""
        return self._describe_missing(framework.also_needs | WORKER_REQUIREMENTS if framework.exporter else {})

    def explain_other_framework(self, framework: Framework) -> str:
        """Explain that an environment not made yet is meant for another framework; empty if it is not."""
        if self.definition is None or self.modules is not None or self.definition.serves in ("", framework.name):
            return ""
        return f"the environment {self.name} is for {self.definition.serves}, and {framework.name} is not in it"

    def _describe_missing(self, needed: Mapping[str, str]) -> str:
        missing = [package for package in needed if not self._has_package(package, needed[package])]
        if not missing:
            return ""
        names = ", ".join(WORKER_REQUIREMENTS.get(package, package) for package in missing)
        requirements = " ".join(shlex.quote(needed[package]) for package in missing)
        verb = "are" if len(missing) > 1 else "is"
        if self.definition is not None:
            return f"{names} {verb} not in the environment {self.name}; add {requirements} to its requirements"
        where = "here" if self.name == CURRENT else "there"
        return f"{names} {verb} not installed {where}; run `{self.python} -m pip install {requirements}`"

    def _has_package(self, package: str, requirement: str) -> bool:
        """Return True if a package is present; one that every worker needs, also in a suitable version."""
        if self.name == CURRENT:
            # A package may be importable without being a distribution, as in a source checkout.
            return importlib.util.find_spec(package) is not None
        version = self.record.packages.get(package) if self.record and package in WORKER_REQUIREMENTS else None
        if version is not None and not Requirement(requirement).specifier.contains(version, prereleases=True):
            return False
        return self.modules is None or package in self.modules
