"""Printed schemas describe what is read, and the files in schemas/json hold what is printed."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orchestrator.errors import UsageError
from orchestrator.records.json_schema import KINDS, build_schema, format_schema
from schemas.event import Hello, Phase
from schemas.job import JobSpec
from schemas.record import JobRecord, Manifest
from schemas.sweep import SweepSpec
from tests.orchestrator.conftest import HOST

ROOT = Path(__file__).resolve().parents[3]


def checked(kind: str, document: object) -> None:
    jsonschema.Draft202012Validator(build_schema(kind)).validate(document)


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_schema_is_the_one_that_is_printed(kind: str) -> None:
    path = ROOT / "schemas" / "json" / f"{kind}.schema.json"
    assert path.read_text() == format_schema(kind), (
        f"run: python -m orchestrator schema {kind} > {path.relative_to(ROOT)}"
    )


def test_every_committed_schema_is_of_something() -> None:
    assert {path.name for path in (ROOT / "schemas" / "json").iterdir()} == {f"{kind}.schema.json" for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_a_schema_that_says_what_it_is_of(kind: str) -> None:
    found = build_schema(kind)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["title"].startswith("Plumbline: ")


def test_the_sweep_file_of_the_documentation_fits_its_schema() -> None:
    (example,) = re.findall(
        r"```toml\n(.*?)```", (ROOT / "docs" / "reference" / "sweep-files.md").read_text(), re.DOTALL
    )[:1]
    document = tomllib.loads(example)
    checked("sweep", document)
    SweepSpec.model_validate(document)


@pytest.mark.parametrize(
    "document",
    [
        {"nmae": "x"},
        {"axes": {"batch": ["many"]}},
        {"axes": {"tasks": ["fly"]}},
        {"stop": {"budget": "soon"}},
        {"stop": {"budget": "5"}},
        {"stop": {"budget": -1}},
        {"limits": {"memory": "4 gigs"}},
        {"limits": {"phases": {"lunch": 1}}},
    ],
)
def test_what_a_sweep_file_may_not_say_its_schema_refuses(document: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        checked("sweep", document)
    with pytest.raises(ValueError, match="validation error"):
        SweepSpec.model_validate(document)


@pytest.mark.parametrize("budget", [90, 1.5, "90s", " 1.5h ", "5 m"])
def test_a_duration_may_be_written_as_a_person_writes_it(budget: object) -> None:
    checked("sweep", {"stop": {"budget": budget}})
    SweepSpec.model_validate({"stop": {"budget": budget}})


def test_what_a_run_writes_fits_its_schemas(
    make_record: Callable[..., JobRecord], make_spec: Callable[..., JobSpec]
) -> None:
    record = make_record()
    manifest = Manifest(
        name="n", started="now", command=(), sweep=SweepSpec(), seed=1, cells=(record.spec.cell,), host=HOST
    )
    for kind, model in (("record", record), ("manifest", manifest), ("job", make_spec()), ("event", record.report)):
        assert model is not None
        checked(kind, json.loads(model.model_dump_json()))


def test_a_line_that_is_no_event_is_refused() -> None:
    checked("event", Hello(pid=1, python="3", interpreter="p").model_dump(mode="json"))
    checked("event", Phase(name="steady").model_dump(mode="json"))
    for line in ({"kind": "hullo"}, {"kind": "phase", "name": "lunch"}, {"kind": "phase", "name": "steady", "more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            checked("event", line)


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown schema 'swep'; did you mean sweep"):
        build_schema("swep")
