"""The hash of a workload's code: independent of its place, and different after any change."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas import code
from schemas.code import UnreadableCode, hash_workload_code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mine"
    (made / "blocks").mkdir(parents=True)
    for name in ("workload.toml", "reference.py", "blocks/__init__.py", "blocks/attention.py"):
        (made / name).write_text(f"# {name}\n")
    return made


def test_it_is_sixteen_hexadecimal_digits_wherever_the_folder_is(folder: Path) -> None:
    before = hash_workload_code(folder)
    assert re.fullmatch(r"[0-9a-f]{16}", before)
    assert hash_workload_code(folder.rename(folder.with_name("moved"))) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "reference.py").write_text("# reference.py \n"),
        lambda folder: (folder / "workload.toml").write_text("x = 1\n"),
        lambda folder: (folder / "blocks" / "attention.py").write_text("\n"),
        lambda folder: (folder / "new.py").touch(),
        lambda folder: (folder / "reference.py").rename(folder / "another.py"),
        lambda folder: (folder / "blocks").rename(folder / "parts"),
    ],
)
def test_whatever_is_code_counts(folder: Path, change: Callable[[Path], object]) -> None:
    before = hash_workload_code(folder)
    change(folder)
    assert hash_workload_code(folder) != before


def test_what_is_no_code_does_not_count(folder: Path) -> None:
    before = hash_workload_code(folder)
    for name in ("README.md", "__pycache__/reference.cpython-311.pyc", ".git/hook.py", "runs/2025/manifest.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    os.mkfifo(folder / "pipe.py")
    assert hash_workload_code(folder) == before


def test_a_link_within_the_folder_is_read_and_one_that_leads_out_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "same.py").symlink_to("reference.py")
    assert hash_workload_code(folder)
    (tmp_path / "secret.py").touch()
    (folder / "out.py").symlink_to("../secret.py")
    with pytest.raises(
        UnreadableCode, match=rf"^{re.escape(str(folder))}/out\.py is a link that leads out of .*mine; put"
    ):
        hash_workload_code(folder)


def test_what_lies_behind_a_link_to_a_folder_is_not_read(folder: Path, tmp_path: Path) -> None:
    before = hash_workload_code(folder)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "code.py").touch()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    assert hash_workload_code(folder) == before


def test_it_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "MAX_ENTRIES", 3)
    with pytest.raises(UnreadableCode, match="holds more than 3 files; move the workload to a separate folder"):
        hash_workload_code(folder)
    monkeypatch.undo()
    monkeypatch.setattr(code, "MAX_BYTES", 1 << 20)
    (folder / "large.py").write_bytes(b"#" * (1 << 20))
    with pytest.raises(UnreadableCode, match="holds more than 1 MiB of code"):
        hash_workload_code(folder)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCode, match=f"cannot read {re.escape(str(tmp_path / 'gone'))}: No such file"):
        hash_workload_code(tmp_path / "gone")
