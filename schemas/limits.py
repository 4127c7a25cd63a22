"""Limits on the resources of one job, and the notation of durations and sizes."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, PositiveFloat

from schemas.base import Model, PositiveInt
from schemas.event import PhaseName

SECONDS = {"s": 1, "m": 60, "h": 3600}

# Exponents of two. Suffixes are binary, as people mean them for memory.
BYTES = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def _parse_duration(value: object) -> object:
    """Parse `"90s"`, `"5m"` and `"1.5h"` as seconds. Leave values other than text to validation: seconds."""
    if not isinstance(value, str):
        return value
    if found := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smh]?)", value.strip()):
        if not found[2]:
            # Typed without a unit, 5 may mean minutes as well as seconds: a guess would cost the user the run.
            raise ValueError(f"{found[1]} of what? write {found[1]}m or {found[1]}s")
        return float(found[1]) * SECONDS[found[2]]
    raise ValueError("should be a duration such as 90s, 5m or 1.5h")


def _parse_size(value: object) -> object:
    """Parse `"4294967296"`, `"4096MiB"` and `"4GiB"` as bytes. Leave values other than text to validation."""
    if not isinstance(value, str):
        return value
    if found := re.fullmatch(r"([0-9]{1,18})\s*([KMGT]?)(?:iB)?", value.strip()):
        return int(found[1]) << BYTES[found[2]]
    raise ValueError("should be a size such as 512MiB or 4GiB")


Duration = Annotated[str, Field(pattern=r"^\s*[0-9]+(\.[0-9]+)?\s*[smh]\s*$", examples=["90s", "5m", "1.5h"])]
Amount = Annotated[str, Field(pattern=r"^\s*[0-9]{1,18}\s*[KMGT]?(iB)?\s*$", examples=["512MiB", "4GiB"])]
Seconds = Annotated[
    PositiveFloat,
    Field(le=31_536_000, allow_inf_nan=False),
    BeforeValidator(_parse_duration, json_schema_input_type=PositiveFloat | Duration),
]
Size = Annotated[
    int, Field(ge=1 << 20, le=1 << 50), BeforeValidator(_parse_size, json_schema_input_type=PositiveInt | Amount)
]


class Limits(Model):
    """Limits on the resources of one job. Sizes are in bytes, durations in seconds."""

    memory: Size | None = Field(default=None, description="of the job, and data of each process; null: unlimited")
    log: Size = Field(default=256 << 20, description="of all output of the job")
    files: int = Field(default=4096, ge=64, le=1 << 20, description="open files of each process")
    processes: int = Field(default=512, ge=1, le=1 << 20, description="the worker and its descendants")
    phases: dict[PhaseName, Seconds] = Field(default={}, description="seconds for each phase")
