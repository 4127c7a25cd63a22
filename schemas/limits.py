"""Limits: what one job may use up before it is ended; and how durations and sizes are written by people."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, PositiveFloat

from schemas.base import Model, PositiveInt
from schemas.event import PhaseName

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
BYTES = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def _seconds(value: object) -> object:
    """`90`, `"90s"`, `"5m"` and `"1.5h"` are durations; what is no text is left for validation to judge."""
    if not isinstance(value, str):
        return value
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", value.strip()):
        return float(found[1]) * SECONDS[found[2]]
    raise ValueError("should be a duration such as 90s, 5m or 1.5h")


def _bytes(value: object) -> object:
    """`4294967296`, `"4096MiB"` and `"4GiB"` are sizes; what is no text is left for validation to judge."""
    if not isinstance(value, str):
        return value
    if found := re.fullmatch(r"([0-9]{1,18})\s*([KMGT]?)(?:iB)?", value.strip()):
        return int(found[1]) << BYTES[found[2]]
    raise ValueError("should be a size such as 512MiB or 4GiB")


Duration = Annotated[str, Field(pattern=r"^\s*\d+(\.\d+)?\s*[smh]?\s*$", examples=["90s", "5m", "1.5h"])]
Amount = Annotated[str, Field(pattern=r"^\s*[0-9]{1,18}\s*[KMGT]?(iB)?\s*$", examples=["512MiB", "4GiB"])]
Seconds = Annotated[
    PositiveFloat,
    Field(le=31_536_000, allow_inf_nan=False),
    BeforeValidator(_seconds, json_schema_input_type=PositiveFloat | Duration),
]
Size = Annotated[
    int, Field(ge=1 << 20, le=1 << 50), BeforeValidator(_bytes, json_schema_input_type=PositiveInt | Amount)
]


class Limits(Model):
    """What one job may use up. Sizes in bytes, durations in seconds."""

    memory: Size | None = Field(default=None, description="of the job, and data of each process; null: no limit")
    log: Size = Field(default=256 << 20, description="of everything that the job prints")
    files: int = Field(default=4096, ge=64, le=1 << 20, description="open files of each process")
    processes: int = Field(default=512, ge=1, le=1 << 20, description="the worker and all that it starts")
    phases: dict[PhaseName, Seconds] = Field(default={}, description="seconds that a phase may take")
