"""Environments: a user's definition of one, and the record of one in which jobs ran."""

from typing import Annotated

from pydantic import AfterValidator, Field, NonNegativeFloat, StringConstraints, model_validator

from schemas.base import Model, NonNegativeInt, Versioned

# The environment of the interpreter that runs the orchestrator.
CURRENT = "current"

# Stands for the environment that the catalog names for a framework. It never reaches a cell.
DEFAULT = "default"

# Prefixes of variables that the harness sets itself. An environment that set them would break its jobs.
RESERVED_PREFIXES = ("PYTHON", "PLUMBLINE_")


def _check_name(name: str) -> str:
    if name in (CURRENT, DEFAULT):
        raise ValueError(f"{name} is reserved; choose another name")
    return name


# A name becomes a folder and part of a label, such as numpy@old:eager.
EnvironmentName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,39}$"), AfterValidator(_check_name)
]


class EnvironmentSpec(Model):
    """An interpreter with its own packages, created when it is first needed."""

    python: str = Field(default="", description="a version such as 3.12, or an interpreter's path; empty: this one")
    requirements: tuple[str, ...] = Field(default=(), max_length=1000, description="in pip's notation, with versions")
    lock: str = Field(default="", description="path of a file of exact versions, instead of requirements")
    variables: dict[str, str] = Field(default={}, description="set for every job in this environment")

    @model_validator(mode="after")
    def _check_source(self) -> "EnvironmentSpec":
        if bool(self.requirements) == bool(self.lock):
            raise ValueError("should have either requirements or a lock")
        if taken := [name for name in self.variables if name.startswith(RESERVED_PREFIXES)]:
            raise ValueError(f"cannot set {taken[0]}, which the harness sets for each job; remove it")
        return self


EnvironmentSpecs = dict[EnvironmentName, EnvironmentSpec]


class EnvironmentFile(Model):
    """The content of a user's file of environments."""

    environments: EnvironmentSpecs = {}


class EnvironmentRecord(Model):
    """An environment as found: the interpreter and the packages installed for it.

    `packages` are versions; `installed` has the hash of each package's files, from its installer's list.
    `freeze` is the hash of all but the interpreter's path: equal where the same packages serve the same Python.
    """

    interpreter: str
    python: str
    packages: dict[str, str]
    installed: dict[str, str]
    freeze: str

    @property
    def has_cuda_build(self) -> bool:
        """Return true if its frameworks were built for NVIDIA's GPUs, by the libraries that such builds require."""
        return any(map(is_cuda_package, self.packages))


def is_cuda_package(name: str) -> bool:
    """Return whether a distribution is one of NVIDIA's libraries, which only a build for its GPUs requires."""
    return name.startswith(("nvidia-", "cuda-")) and name != "nvidia-ml-py"


class EnvironmentMarker(Versioned):
    """The marker of a complete environment: the last file that is written into it.

    `name` is the environment's first name. `asked` are the requirements, `resolved` the exact versions chosen for them.
    `modules` can be imported in it.
    """

    name: str
    asked: tuple[str, ...]
    resolved: tuple[str, ...]
    environment: EnvironmentRecord
    modules: tuple[str, ...]
    base: str = Field(description="the interpreter that created it")
    installer: str
    made: str
    took_s: NonNegativeFloat
    size_bytes: NonNegativeInt
