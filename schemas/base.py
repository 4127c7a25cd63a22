"""What every schema shares: frozen, unknown fields refused, numbers that a computer can hold, and one version."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

SCHEMA_VERSION = 1
LARGEST = (1 << 63) - 1
"""JSON knows no largest number; what is read from outside is then divided, printed and made into file names."""

NonNegativeInt = Annotated[int, Field(ge=0, le=LARGEST)]
PositiveInt = Annotated[int, Field(ge=1, le=LARGEST)]


class Model(BaseModel):
    """A value: it cannot be changed, and a field that is not declared is refused, as are infinity and NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)


class Versioned(Model):
    """A document that crosses a process or lies on disk, and so says which version it was written in."""

    schema_version: int = SCHEMA_VERSION

    @field_validator("schema_version")
    @classmethod
    def _spoken_here(cls, version: int) -> int:
        if version != SCHEMA_VERSION:
            raise ValueError(f"written in schema version {version}, and this side speaks {SCHEMA_VERSION}")
        return version
