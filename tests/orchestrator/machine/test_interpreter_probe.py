import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.machine import interpreter_probe

RECORD = "made_up.py,sha256=aaaa,12\nmade_up-1.0.dist-info/METADATA,sha256=cccc,90\n"


def install(folder: Path, name: str, version: str, record: str = RECORD) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text(record)
    (folder / "made_up.py").touch()


def test_as_a_program_it_says_what_it_says_as_a_module() -> None:
    command = [sys.executable, "-I", interpreter_probe.__file__, "json", "no_such_module"]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert said["identity"] == interpreter_probe.describe_build()
    assert {
        name: tuple(found) for name, found in said["distributions"].items()
    } == interpreter_probe.list_distributions()
    assert {"json", "pydantic"} <= set(said["modules"])
    assert "no_such_module" not in said["modules"]


def test_it_imports_nothing_of_what_it_finds() -> None:
    command = [sys.executable, "-I", "-X", "importtime", interpreter_probe.__file__, "numpy"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert not re.search(r"\| +(numpy|pydantic|torch|tensorflow)$", told, re.MULTILINE)


def test_a_distribution_is_told_by_its_name_as_installers_compare_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "Made_Up.Thing", "1.0")
    monkeypatch.syspath_prepend(tmp_path)
    assert interpreter_probe.list_distributions()["made-up-thing"] == ("1.0", interpreter_probe.hash_record(RECORD))


def test_of_two_with_one_name_the_one_counts_that_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "later", "made-up", "1.0")
    install(tmp_path / "first", "made-up", "2.0")
    monkeypatch.syspath_prepend(tmp_path / "later")
    monkeypatch.syspath_prepend(tmp_path / "first")
    assert interpreter_probe.list_distributions()["made-up"][0] == "2.0"


def test_this_project_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, interpreter_probe.PROJECT.replace("-", "_"), "1.0")
    install(tmp_path, "made-up", "1.0")
    monkeypatch.syspath_prepend(tmp_path)
    found = interpreter_probe.list_distributions()
    assert "made-up" in found
    assert interpreter_probe.PROJECT not in found


def test_its_words_are_such_that_a_python_of_many_years_ago_reads_them() -> None:
    compile(
        Path(interpreter_probe.__file__).read_text(), "probe.py", "exec", flags=0, dont_inherit=True, _feature_version=8
    )
