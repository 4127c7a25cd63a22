"""Conversion of job records of schema version 1, whose form differed, to the current form."""

from typing import Any

from pydantic_core import from_json

# The field of a job spec of version 1 that held the path, by the kind of the purpose. Without any, the job measured.
OLD_PURPOSES = {"reference": "expect", "export": "export", "profile": "profile"}
OLD_RESULTS = ("report", "exported", "profiled")


def upgrade_record(content: bytes) -> dict[str, Any] | None:
    """Return a record of version 1, as JSON, in the current form, still to be validated; None if it is no such record.

    Version 1 had a kind of record for each kind of job, and a job spec with three paths of which at most one was set.
    """
    try:
        record = from_json(content)
    except ValueError:
        return None
    if not isinstance(record, dict) or record.get("schema_version") != 1 or not isinstance(record.get("spec"), dict):
        return None
    results = [record.pop(name, None) for name in OLD_RESULTS]
    paths = {kind: record["spec"].pop(name, "") for kind, name in OLD_PURPOSES.items()}
    purpose = next(({"kind": kind, "path": path} for kind, path in paths.items() if path), {"kind": "measure"})
    record["spec"]["purpose"] = purpose
    return record | {"result": next((result for result in results if result is not None), None)}
