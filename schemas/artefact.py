"""Artefact: a file that one process hands to another."""

from pydantic import Field

from schemas.base import Model, NonNegativeInt, PositiveInt


class Artefact(Model):
    """A file that one process writes for another to read, such as a saved model."""

    path: str = Field(description="absolute path on the machine that wrote it")
    sha256: str
    size_bytes: PositiveInt
    written_ns: NonNegativeInt = Field(default=0, description="nanoseconds spent on writing it")
