"""`schema`: the JSON Schema of a document."""

from orchestrator.records import json_schema


def print_schema(kind: str) -> None:
    """Print the JSON Schema of one kind of document."""
    print(json_schema.format_schema(kind), end="")
