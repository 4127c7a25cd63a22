"""The template of `new-workload` is a workload as it stands, and writing it overwrites nothing."""

import ast
import re
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.registry import workload_template, workloads
from schemas.code import WORKLOAD_FILE

FILES = {WORKLOAD_FILE, "README.md", "reference.py", "torch.py", "tensorflow.py", "jax.py"}


def test_it_writes_every_file_with_the_name_filled_in(tmp_path: Path) -> None:
    folder = workload_template.write_template("my-net", tmp_path)
    assert {path.name for path in folder.iterdir()} == FILES
    assert workloads.load_workload_folder(folder).name == "my-net"
    assert "# my-net" in (folder / "README.md").read_text()
    assert not [path for path in folder.iterdir() if "$" in path.read_text()]


def test_its_files_are_short_and_are_python_and_say_what_belongs_in_them(tmp_path: Path) -> None:
    folder = workload_template.write_template("mine", tmp_path)
    for path in folder.glob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text()))
        assert len(path.read_text().splitlines()) <= 60
    assert len((folder / "README.md").read_text().splitlines()) <= 24


def test_the_last_line_that_is_told_is_the_command_that_measures_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert told("mine", Path()) == "python -m orchestrator sweep --workload ./mine"
    assert told("mine", Path("a b")) == "python -m orchestrator sweep --workload './a b/mine'"
    assert told("other", tmp_path) == f"python -m orchestrator sweep --workload {tmp_path}/other"


def told(name: str, at: Path) -> str:
    return workload_template.describe_written(workload_template.write_template(name, at)).splitlines()[-1]


def test_it_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "torch.py").write_text("precious")
    with pytest.raises(UsageError, match="mine already exists, and nothing was written; choose another name or --at"):
        workload_template.write_template("mine", tmp_path)
    assert [path.read_text() for path in (tmp_path / "mine").iterdir()] == ["precious"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("rnn", "a workload rnn already exists"),
        ("Mine", "'Mine' is not a valid name of a workload: use a-z, 0-9, _ and -"),
        ("../mine", "'../mine' is not a valid name of a workload"),
        ("", "'' is not a valid name of a workload"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_written(tmp_path: Path, name: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        workload_template.write_template(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(UsageError, match=r"cannot write /proc/nothing.*; choose another folder with --at"):
        workload_template.write_template("mine", Path("/proc/nothing"))
