"""The files of a model: what it imports from its own folder changes its hash, and nothing else does."""

from pathlib import Path

import pytest

from schemas.code import UnreadableCode
from schemas.model_code import find_model_file, hash_model_code, list_model_files
from schemas.models import ModelSource


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a model with a helper beside it, and a package whose modules import each other."""
    tmp_path.joinpath("pkg").mkdir()
    texts = {
        "net.py": "import torch\nimport helper\nfrom pkg import blocks\n",
        "helper.py": "SIZE = 3\n",
        "unrelated.py": "SIZE = 4\n",
        "pkg/__init__.py": "",
        "pkg/blocks.py": "from . import parts\nfrom .deep import more\n",
        "pkg/parts.py": "import net\n",
        "pkg/deep.py": "more = 1\n",
    }
    for name, text in texts.items():
        tmp_path.joinpath(name).write_text(text)
    return tmp_path


def source_of(folder: Path, **said: object) -> ModelSource:
    named = {"file": str(folder / "net.py")} if "module" not in said else {}
    return ModelSource.model_validate({"folder": str(folder), **named, **said})


def test_a_model_consists_of_its_file_and_of_all_that_it_imports_from_its_folder(folder: Path) -> None:
    found = {file.relative_to(folder).as_posix() for file in list_model_files(source_of(folder))}
    assert found == {"net.py", "helper.py", "pkg/__init__.py", "pkg/blocks.py", "pkg/parts.py", "pkg/deep.py"}


@pytest.mark.parametrize("changed", ["net.py", "helper.py", "pkg/parts.py", "pkg/deep.py"])
def test_a_change_of_any_of_these_files_changes_the_hash(folder: Path, changed: str) -> None:
    before = hash_model_code(source_of(folder))
    folder.joinpath(changed).write_text(folder.joinpath(changed).read_text() + "# changed\n")
    assert hash_model_code(source_of(folder)) != before


def test_a_change_of_another_file_does_not(folder: Path) -> None:
    before = hash_model_code(source_of(folder))
    folder.joinpath("unrelated.py").write_text("SIZE = 5\n")
    assert hash_model_code(source_of(folder)) == before


def test_another_object_or_other_inputs_are_another_model(folder: Path) -> None:
    hashes = {
        hash_model_code(source_of(folder, **said))
        for said in ({}, {"attribute": "Net"}, {"inputs": ("float32[3]",)}, {"inputs": ("float32[4]",)})
    }
    assert len(hashes) == 4


def test_an_import_path_is_found_in_the_folder_without_importing_it(folder: Path) -> None:
    folder.joinpath("pkg/blocks.py").write_text("raise SystemExit('imported')\n")
    assert find_model_file(source_of(folder, module="pkg.blocks")) == folder / "pkg/blocks.py"
    assert find_model_file(source_of(folder, module="pkg")) == folder / "pkg/__init__.py"
    assert find_model_file(source_of(folder, module="elsewhere.nets")) is None


def test_a_file_that_is_not_python_is_named_with_its_line(folder: Path) -> None:
    folder.joinpath("helper.py").write_text("SIZE = 3\ndef broken(:\n")
    with pytest.raises(UnreadableCode, match=r"helper\.py:2 is not valid Python: "):
        hash_model_code(source_of(folder))
