"""The module that writes a file, of small ones of two frameworks: one exports, the other has a format of its own."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from workers import exporters
from workers.exporters import load_writer

HERE = exporters.__name__


def write_source(model: object, example: object, shapes: object, path: Path) -> None:
    path.write_text(f"graph of {model}")


def write_directly(model: object, example: object, shapes: object, path: Path) -> None:
    path.write_text(f"program of {model}")


def convert(source: Path, path: Path) -> None:
    path.write_text(f"converted {source.suffix}: {source.read_text()}")


def make_module(name: str, **members: object) -> ModuleType:
    module = ModuleType(f"{HERE}.{name}")
    vars(module).update(members)
    return module


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install an exporter of .graph, a converter, and an exporter of .program."""
    for module in (
        make_module("source", SUFFIX=".graph", export=write_source),
        make_module("converting", convert=convert),
        make_module("lowering", SUFFIX=".program", export=write_directly),
    ):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def write(framework: str, path: Path) -> str:
    load_writer("source", framework, path.suffix)("net", (), (), path)
    return path.read_text()


@pytest.mark.usefixtures("installed")
def test_a_file_with_the_exporters_suffix_is_written_by_the_exporter_and_nothing_else_is_imported(
    tmp_path: Path,
) -> None:
    assert write("no_such_module", tmp_path / "a.graph") == "graph of net"


@pytest.mark.usefixtures("installed")
def test_another_format_is_converted_from_the_exporters_file_which_does_not_stay(tmp_path: Path) -> None:
    assert write("converting", tmp_path / "a.other") == "converted .graph: graph of net"
    assert [path.name for path in tmp_path.iterdir()] == ["a.other"]


@pytest.mark.usefixtures("installed")
def test_a_framework_that_takes_the_exporters_models_writes_them_itself(tmp_path: Path) -> None:
    assert write("lowering", tmp_path / "a.program") == "program of net"


@pytest.mark.usefixtures("installed")
def test_another_format_that_nobody_writes_is_an_error_that_names_the_module(tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"exporters\.no_such_module"):
        load_writer("source", "no_such_module", ".other")
