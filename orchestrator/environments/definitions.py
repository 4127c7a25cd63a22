"""Definitions of environments, by name: from the sweep file, from the user's file, or built in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import platformdirs
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from orchestrator.errors import UsageError, unknown_name_error
from orchestrator.files.toml import load_model, read_toml
from orchestrator.machine.kernel_files import KernelFiles
from orchestrator.registry.frameworks import load_frameworks
from schemas.catalog import CUDA_REQUIREMENTS, WORKER_REQUIREMENTS, Framework
from schemas.environment import CURRENT, EnvironmentFile, EnvironmentSpec, EnvironmentSpecs

VERSION_SIGN = "@"
BUILT_IN = "built in"
# Files that exist where NVIDIA's driver is loaded.
GPU_FILES = ("dev/nvidiactl", "proc/driver/nvidia/version")

# A requirement that allows one version (no `==1.*`), or that names an address.
PINNED_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?\s*==\s*[^\s;=*]+(\s*;.*)?|[^@\s]+\s*@\s*\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentDefinition:
    """Definition of an environment. `stem` begins its folder's name: all versions have the same.

    `pinned` are the lines of its lock; empty: the requirements must be resolved. `origin` tells where it is defined,
    and `serves` for which framework, if it is for one alone.
    """

    name: str
    stem: str
    origin: str
    python: str = ""
    requirements: tuple[str, ...] = ()
    lock: str = ""
    pinned: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    serves: str = ""

    @property
    def all_requirements(self) -> tuple[str, ...]:
        """Return all requirements: the defined ones, and those of every worker."""
        return self.pinned or tuple(dict.fromkeys([*self.requirements, *WORKER_REQUIREMENTS.values()]))


@dataclass(frozen=True, slots=True)
class EnvironmentDefinitions:
    """Definitions that hold for one sweep, the nearest first: the sweep's, the user's, the built-in ones.

    `path` is the user's file, which need not exist.
    """

    own: EnvironmentSpecs = field(default_factory=dict)
    path: Path = field(default_factory=lambda: platformdirs.user_config_path("plumbline").joinpath("environments.toml"))
    files: KernelFiles = field(default_factory=KernelFiles)

    @property
    def has_gpu(self) -> bool:
        """Return True if this machine has an NVIDIA GPU, by its driver."""
        return any(self.files.has_file(name) for name in GPU_FILES)

    def list_all(self) -> dict[str, EnvironmentDefinition]:
        """Return all definitions by name, without versions such as `tensorflow@2.20`."""
        users = {
            name: definition_from_spec(name, spec, str(self.path))
            for name, spec in load_environments(self.path).items()
        }
        own = {name: definition_from_spec(name, spec, "the sweep file") for name, spec in self.own.items()}
        return {each.name: each for each in make_builtin_definitions(accelerated=self.has_gpu)} | users | own

    def find(self, name: str) -> EnvironmentDefinition:
        """Find a definition; `tensorflow@2.20` is `tensorflow` with its first requirement in that version.

        Raises:
            UsageError: it does not exist, or is invalid.
        """
        every, (base, _, version) = self.list_all(), name.partition(VERSION_SIGN)
        if name in every:
            return check_definition(every[name])
        if base in every and version:
            return pin_version(check_definition(every[base]), name, version)
        raise unknown_name_error("environment", name, [CURRENT, *every])


def make_builtin_definitions(*, accelerated: bool) -> Iterable[EnvironmentDefinition]:
    """Yield one for each framework that names an environment, and for each that exports models for others."""
    exporting: dict[str, tuple[str, dict[str, str]]] = {}
    for framework in load_frameworks().values():
        if framework.environment != CURRENT:
            # Some frameworks publish their CUDA build as another package or extra.
            requirement = (framework.cuda if accelerated else "") or framework.requirement
            counters = CUDA_REQUIREMENTS if accelerated and "cuda" in framework.devices else ()
            yield EnvironmentDefinition(
                name=framework.environment,
                stem=framework.environment,
                origin=BUILT_IN,
                requirements=(requirement, *framework.beside, *list_mode_requirements(framework), *counters),
                serves=framework.name,
            )
        if framework.exporter:
            named = exporting.setdefault(framework.export_environment, (framework.exporter, {}))
            named[1].update(framework.also_needs)
    own = {framework.environment for framework in load_frameworks().values()}
    for name, (exporter, needed) in exporting.items():
        # Some runtimes bring what exports for them, so their own environment does both.
        if name not in own:
            yield EnvironmentDefinition(
                name=name, stem=name, origin=BUILT_IN, requirements=tuple(needed.values()), serves=exporter
            )


def list_mode_requirements(framework: Framework) -> Iterable[str]:
    """List what single modes of a framework require, each once."""
    return dict.fromkeys(text for mode in framework.modes for text in mode.needs.values())


def definition_from_spec(name: str, spec: EnvironmentSpec, origin: str) -> EnvironmentDefinition:
    """Make a definition from a user's specification."""
    return EnvironmentDefinition(
        name=name,
        stem=name,
        origin=origin,
        python=spec.python,
        requirements=spec.requirements,
        lock=spec.lock,
        variables=spec.variables,
    )


def check_definition(definition: EnvironmentDefinition) -> EnvironmentDefinition:
    """Check the requirements of a definition, or read its lock.

    Raises:
        UsageError: a requirement or the lock is invalid.
    """
    if definition.lock:
        return replace(definition, pinned=read_lock(Path(definition.lock), definition.name))
    for text in definition.requirements:
        try:
            Requirement(text)
        except InvalidRequirement as error:
            why = str(error).splitlines()[0]
            raise UsageError(f"the environment {definition.name}: {text!r} is an invalid requirement: {why}") from error
    return definition


def pin_version(definition: EnvironmentDefinition, name: str, version: str) -> EnvironmentDefinition:
    """Pin the first requirement of an environment to another version, exactly.

    Raises:
        UsageError: the version is invalid, or the environment has a lock.
    """
    if not definition.requirements:
        raise UsageError(f"the environment {definition.name} has a lock, which fixes its versions; define another one")
    try:
        Version(version)
    except InvalidVersion as error:
        raise UsageError(
            f"the environment {name}: {version!r} is not a version; write it as in tensorflow@2.20"
        ) from error
    first, *others = definition.requirements
    asked = Requirement(first)
    extras = f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""
    marker = f"; {asked.marker}" if asked.marker else ""
    return replace(definition, name=name, requirements=(f"{asked.name}{extras}=={version}{marker}", *others))


def read_lock(lock: Path, name: str) -> tuple[str, ...]:
    """Read the requirements in a lock, each in one exact version, with its hashes.

    Raises:
        UsageError: it cannot be read, contains something else, or lacks what a worker needs.
    """
    try:
        text = lock.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the environment {name}: cannot read its lock {lock}: {error}") from error
    plain = re.sub(r"(?m)(^|\s)#.*$", "", text.replace("\\\n", " "))
    lines = [" ".join(line.split()) for line in plain.splitlines() if line.strip()]
    for line in lines:
        if not PINNED_REQUIREMENT.fullmatch(line.partition(" --hash=")[0]):
            raise UsageError(
                f"the environment {name}: {lock} contains {line[:80]!r}, which is not a package in one exact version; "
                "`env lock` writes a valid lock"
            )
    there = {re.split(r"[\s=@\[]", line)[0].lower() for line in lines}
    if missing := [needed for package, needed in WORKER_REQUIREMENTS.items() if package not in there]:
        raise UsageError(f"the environment {name}: {lock} lacks {' and '.join(missing)}, which every worker needs")
    return tuple(sorted(lines))


def load_environments(path: Path) -> EnvironmentSpecs:
    """Load a user's file of environments; without the file there are none.

    Raises:
        UsageError: as in `load_sweep_file`.
    """
    if not path.exists():
        return {}
    load_model(path, EnvironmentFile)
    said = read_toml(path)
    resolve_lock_paths(said, path)
    return EnvironmentFile.model_validate(said).environments


def resolve_lock_paths(said: dict[str, Any], path: Path) -> None:
    """Make the paths of locks absolute; in a file they are relative to its folder."""
    for each in said.get("environments", {}).values():
        if each.get("lock"):
            each["lock"] = str(path.absolute().parent.joinpath(each["lock"]))
