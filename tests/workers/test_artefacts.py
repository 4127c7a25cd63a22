"""Artefacts on disk: described when they are written, and verified when they are read."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.artefacts import ArtefactChanged, artefact_from_file, hash_file, verify_artefact


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    return path


def test_an_artefact_has_the_path_the_size_the_hash_and_the_time_of_writing(file: Path) -> None:
    artefact = artefact_from_file(file, 1234)
    assert (artefact.path, artefact.size_bytes, artefact.written_ns) == (str(file), 7, 1234)
    assert artefact.sha256 == hashlib.sha256(b"weights").hexdigest()


def test_a_file_that_is_as_it_was_written_is_found(file: Path) -> None:
    assert verify_artefact(artefact_from_file(file)) == file


@pytest.mark.parametrize("content", [b"", b"weight", b"weights ", b"Weights"])
def test_a_file_with_another_content_is_refused(file: Path, content: bytes) -> None:
    artefact = artefact_from_file(file)
    file.write_bytes(content)
    with pytest.raises(ArtefactChanged, match=r"SHA-256 of .*model\.onnx has changed since it was exported; start a"):
        verify_artefact(artefact)


def test_a_file_that_is_gone_is_named_with_the_reason(file: Path) -> None:
    artefact = artefact_from_file(file)
    file.unlink()
    with pytest.raises(ArtefactChanged, match=r"cannot read .*model\.onnx: No such file or directory; start a new run"):
        verify_artefact(artefact)


def test_a_folder_in_its_place_is_named_too(file: Path) -> None:
    artefact = artefact_from_file(file)
    file.unlink()
    file.mkdir()
    with pytest.raises(ArtefactChanged, match="Is a directory"):
        verify_artefact(artefact)


@given(st.binary(max_size=5000))
def test_a_hash_is_that_of_the_whole_content(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    assert hash_file(path) == hashlib.sha256(content).hexdigest()
