"""JSON Schemas of documents written by hand, sent between processes or kept on disk, from the models that read them.

The files in schemas/json hold the same text, for editors and for readers in other languages.
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

# The title of each kind, and the model that reads it. A title is part of the file in schemas/json.
KINDS: Final[dict[str, tuple[str, Any]]] = {
    "sweep": ("a sweep file", SweepSpec),
    "job": ("what a worker is asked, on its standard input", JobSpec),
    "event": ("one line of what a worker says", Event),
    "record": ("what one job leaves in its run", JobRecord),
    "manifest": ("what a run says of itself", Manifest),
}


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of that kind of document.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in KINDS:
        raise unknown("schema", kind, KINDS)
    says, model = KINDS[kind]
    return {"$schema": DIALECT, "title": f"Plumbline: {says}", **without_title(TypeAdapter(model).json_schema())}


def without_title(found: dict[str, Any]) -> dict[str, Any]:
    """Remove the title that a schema gets from its model's name."""
    return {name: value for name, value in found.items() if name != "title"}


def text(kind: str) -> str:
    """Return the schema as the text of its file."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"
