"""What every schema shares: frozen, unknown fields refused, and one version spoken on both sides."""

from pydantic import BaseModel, ConfigDict, field_validator

SCHEMA_VERSION = 1


class Model(BaseModel):
    """A value: it cannot be changed, and a field that is not declared is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Versioned(Model):
    """A document that crosses a process or lies on disk, and so says which version it was written in."""

    schema_version: int = SCHEMA_VERSION

    @field_validator("schema_version")
    @classmethod
    def _spoken_here(cls, version: int) -> int:
        if version != SCHEMA_VERSION:
            raise ValueError(f"written in schema version {version}, and this side speaks {SCHEMA_VERSION}")
        return version
