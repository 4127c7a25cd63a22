"""JSON Schemas of what is written by hand, crosses a process, or lies on disk: from the models that read it.

Those under schemas/json are what this prints, for editors and for readers in other languages.
"""

import json
from typing import Any, Final

from pydantic import TypeAdapter

from orchestrator.errors import unknown
from schemas.event import Event
from schemas.job import JobSpec
from schemas.record import JobRecord, Manifest
from schemas.sweep import SweepSpec

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

KINDS: Final[dict[str, tuple[str, Any]]] = {
    "sweep": ("a sweep file", SweepSpec),
    "job": ("what a worker is asked, on its standard input", JobSpec),
    "event": ("one line of what a worker says", Event),
    "record": ("what one job leaves in its run", JobRecord),
    "manifest": ("what a run says of itself", Manifest),
}
"""What each is, and the model that reads it."""


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of that kind of document.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in KINDS:
        raise unknown("schema", kind, KINDS)
    says, model = KINDS[kind]
    return {"$schema": DIALECT, "title": f"Plumbline: {says}", **without_title(TypeAdapter(model).json_schema())}


def without_title(found: dict[str, Any]) -> dict[str, Any]:
    """A schema without the title that its model's name gives it."""
    return {name: value for name, value in found.items() if name != "title"}


def text(kind: str) -> str:
    """The same as it stands in its file."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"
