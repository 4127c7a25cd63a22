"""JSON Schemas of documents written by hand, sent between processes or kept on disk, from the models that read them.

The files in schemas/json hold the same text, for editors and for readers in other languages.
"""

import json
from typing import Any, Final

from pydantic import TypeAdapter

from orchestrator.errors import unknown_name_error
from schemas.event import Event
from schemas.job import JobSpec
from schemas.publication import Publication
from schemas.record import JobRecord, Manifest
from schemas.sweep import SweepSpec

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

# The title of each kind, and the model that reads it. A title is part of the file in schemas/json.
KINDS: Final[dict[str, tuple[str, Any]]] = {
    "sweep": ("a sweep file", SweepSpec),
    "job": ("the spec of one job, on a worker's standard input", JobSpec),
    "event": ("one event of a worker, a line on its standard output", Event),
    "record": ("the record of one job", JobRecord),
    "manifest": ("the manifest of a run", Manifest),
    "publication": ("the description of a published run", Publication),
}


def build_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of that kind of document.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in KINDS:
        raise unknown_name_error("schema", kind, KINDS)
    says, model = KINDS[kind]
    return {"$schema": DIALECT, "title": f"Plumbline: {says}", **remove_title(TypeAdapter(model).json_schema())}


def remove_title(found: dict[str, Any]) -> dict[str, Any]:
    """Remove the title that a schema gets from its model's name."""
    return {name: value for name, value in found.items() if name != "title"}


def format_schema(kind: str) -> str:
    """Return the schema as the text of its file."""
    return json.dumps(build_schema(kind), indent=2, ensure_ascii=False) + "\n"
