import pytest
from pydantic import ValidationError

from schemas.base import OLDEST_VERSION, SCHEMA_VERSION
from schemas.event import Hello, Phase

HELLO = {"pid": 1, "python": "3.11", "interpreter": "/usr/bin/python"}


def test_a_value_cannot_be_changed() -> None:
    phase = Phase(name="build")
    with pytest.raises(ValidationError, match="frozen"):
        phase.name = "steady"


def test_a_field_that_is_not_declared_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Hello.model_validate(HELLO | {"hostname": "here"})


def test_another_schema_version_is_refused_and_both_versions_are_named() -> None:
    other = SCHEMA_VERSION + 41
    supported = f"only {OLDEST_VERSION} to {SCHEMA_VERSION}"
    with pytest.raises(ValidationError, match=f"version {other} is not supported, {supported}"):
        Hello.model_validate(HELLO | {"schema_version": other})


def test_a_document_of_an_older_version_whose_form_has_not_changed_is_read_as_one_of_this_version() -> None:
    assert Hello.model_validate(HELLO | {"schema_version": OLDEST_VERSION}) == Hello.model_validate(HELLO)
    with pytest.raises(ValidationError):
        Hello.model_validate(HELLO | {"schema_version": OLDEST_VERSION - 1})


def test_a_document_says_its_version() -> None:
    assert f'"schema_version":{SCHEMA_VERSION}' in Hello.model_validate(HELLO).model_dump_json()
