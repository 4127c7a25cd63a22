"""Artefact: what one process hands to another."""

from pydantic import Field

from schemas.base import Model, NonNegativeInt, PositiveInt


class Artefact(Model):
    """A model as one file, written by one process to be run in another."""

    path: str = Field(description="absolute, on the machine that wrote it")
    sha256: str
    size_bytes: PositiveInt
    written_ns: NonNegativeInt = Field(default=0, description="what writing it took, in nanoseconds")
