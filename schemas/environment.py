"""Environments: what a user writes of one, and what is kept of one in which jobs ran."""

from typing import Annotated

from pydantic import AfterValidator, Field, NonNegativeFloat, StringConstraints, model_validator

from schemas.base import Model, NonNegativeInt, Versioned

CURRENT = "current"
"""The environment of the interpreter that runs the orchestrator."""

DEFAULT = "default"
"""Stands for the environment that the catalog names for a framework; no cell ever has it."""

OURS = ("PYTHON", "PLUMBLINE_")
"""How variables begin that the harness sets itself, and that no environment may."""


def _free(name: str) -> str:
    if name in (CURRENT, DEFAULT):
        raise ValueError(f"{name} means something else; choose another name")
    return name


EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,39}$"), AfterValidator(_free)]


class EnvironmentSpec(Model):
    """An interpreter with packages of its own, made when it is first needed."""

    python: str = Field(default="", description="a version such as 3.12, or an interpreter's path; empty: this one")
    requirements: tuple[str, ...] = Field(default=(), max_length=1000, description="as pip takes them, versions too")
    lock: str = Field(default="", description="the path of a file of exact versions, in the place of requirements")
    variables: dict[str, str] = Field(default={}, description="set for every job that runs in it")

    @model_validator(mode="after")
    def _one_of_both(self) -> "EnvironmentSpec":
        if bool(self.requirements) == bool(self.lock):
            raise ValueError("should have either requirements or a lock")
        if taken := [name for name in self.variables if name.startswith(OURS)]:
            raise ValueError(f"cannot set {taken[0]}: the harness sets it for each job")
        return self


EnvironmentSpecs = dict[EnvironmentName, EnvironmentSpec]


class EnvironmentFile(Model):
    """What a user's own file of environments says."""

    environments: EnvironmentSpecs = {}


class EnvironmentRecord(Model):
    """An environment as it was found: the interpreter, and all that is installed beside it.

    `packages` are versions; `installed` has for each the hash of its files, by the list that its installer left.
    `freeze` is the hash of all but the interpreter's path: equal where the same was installed for the same Python.
    """

    interpreter: str
    python: str
    packages: dict[str, str]
    installed: dict[str, str]
    freeze: str


class Ready(Versioned):
    """The last file that is written into an environment: with it, all the others are there.

    `name` is the one that it was made for first, `asked` are the requirements, `resolved` what they came to; `modules`
    can be imported in it.
    """

    name: str
    asked: tuple[str, ...]
    resolved: tuple[str, ...]
    environment: EnvironmentRecord
    modules: tuple[str, ...]
    base: str = Field(description="the interpreter that it was made with")
    installer: str
    made: str
    took_s: NonNegativeFloat
    size_bytes: NonNegativeInt
