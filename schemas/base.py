"""The base of every schema: frozen models without unknown fields, bounded integers, and one schema version."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

SCHEMA_VERSION = 2

# Older documents stay valid where their form is still the same; orchestrator/records/migration.py converts the others.
OLDEST_VERSION = 1

# JSON has no largest integer, but integers from outside are divided, printed and put into file names.
MAX_INTEGER = (1 << 63) - 1

NonNegativeInt = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
PositiveInt = Annotated[int, Field(ge=1, le=MAX_INTEGER)]


class Model(BaseModel):
    """An immutable value. Undeclared fields, infinity and NaN are refused."""

    # defer_build: a process builds only the models that it uses.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)


class Versioned(Model):
    """A document that crosses a process boundary or is stored on disk, and therefore states its schema version."""

    schema_version: int = SCHEMA_VERSION

    @field_validator("schema_version")
    @classmethod
    def _check_version(cls, version: int) -> int:
        if not OLDEST_VERSION <= version <= SCHEMA_VERSION:
            raise ValueError(
                f"schema version {version} is not supported, only {OLDEST_VERSION} to {SCHEMA_VERSION}; "
                "use the Plumbline that wrote it"
            )
        return SCHEMA_VERSION
