"""Artefacts: files that one process hands to another."""

import pytest
from pydantic import ValidationError

from schemas.artefact import Artefact

PLAIN = {"path": "/runs/x.onnx", "sha256": "ab" * 32, "size_bytes": 7}


def test_an_artefact_comes_back_from_json_as_it_was() -> None:
    artefact = Artefact.model_validate(PLAIN | {"written_ns": 5})
    assert Artefact.model_validate_json(artefact.model_dump_json()) == artefact


def test_the_time_of_writing_is_zero_where_it_is_not_known() -> None:
    assert Artefact.model_validate(PLAIN).written_ns == 0


@pytest.mark.parametrize("change", [{"size_bytes": 0}, {"size_bytes": -1}, {"written_ns": -1}, {"sha256": None}])
def test_an_empty_file_is_no_artefact(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Artefact.model_validate(PLAIN | change)


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_path_hash_and_size_are_always_there(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Artefact.model_validate({key: value for key, value in PLAIN.items() if key != name})
