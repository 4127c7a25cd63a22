"""The files of a publication are read once, and only those of the known names: no link, no pipe, nothing large."""

import os
from pathlib import Path

import pytest

from orchestrator.export.publication.contents import (
    Bounds,
    Contents,
    Refusal,
    check_bounds,
    is_known_name,
    read_contents,
)
from orchestrator.files.atomic import MAX_FILE_BYTES
from orchestrator.files.folders import write_contents


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "sweep.toml",
        "report.html",
        "publication.json",
        "jobs/001-torch-eager-mlp-backward-b1-8778d146.json.gz",
        "code/mine/workload.toml",
        "code/mine/layers/dense.py",
        "code/my-workload/layers/workload.toml",
    ],
)
def test_a_publication_may_have_these_files(name: str) -> None:
    assert is_known_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "jobs/001.json",
        "jobs/001.stderr.log",
        "jobs/.json.gz",
        "jobs/a/b.json.gz",
        "jobs/a b.json.gz",
        "code/../manifest.json",
        "code/mine/page.html",
        "code/mine/drawing.svg",
        "code/mine/script.js",
        "code/mine/a.py/page.html",
        "code/mine/no-identifier/x.py",
        "code/mine/__pycache__/x.py",
        "code/mine/.py",
        "code/mine",
        "code/x.py",
        "code/.git/config",
        "code/mine/\u202ereference.py",
        "artefacts/a.onnx",
        ".lock",
        "",
    ],
)
def test_it_has_no_other_files(name: str) -> None:
    assert not is_known_name(name)


def test_all_files_are_read_and_written_by_their_names(tmp_path: Path) -> None:
    files = {"manifest.json": b"{}", "jobs/a.json.gz": b"1", "code/mine/x.py": b"2"}
    write_contents(tmp_path / "one", files)
    assert read_contents(tmp_path / "one") == Contents("one", files)


def test_a_folder_that_is_named_by_a_dot_has_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_contents(Path()).name == tmp_path.name


def test_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(Refusal, match=r"'notes.txt' is no file of a publication; remove it"):
        read_contents(tmp_path)


def test_the_index_that_a_reader_has_left_is_neither_read_nor_refused(tmp_path: Path) -> None:
    write_contents(tmp_path, {"manifest.json": b"{}", ".processes.arrow": b"not even a table"})
    (tmp_path / ".processes.arrow").chmod(0)
    assert read_contents(tmp_path) == Contents(tmp_path.name, {"manifest.json": b"{}"})


@pytest.mark.parametrize("name", ["jobs/.processes.arrow", "code/.processes.arrow", ".processes.arrow.part"])
def test_a_file_like_the_index_in_another_place_is_refused(tmp_path: Path, name: str) -> None:
    write_contents(tmp_path, {name: b"x"})
    with pytest.raises(Refusal, match="is no file of a publication; remove it"):
        read_contents(tmp_path)


def test_links_pipes_and_folders_that_lead_out_are_refused(tmp_path: Path) -> None:
    for number, target in enumerate(("/etc/hostname", "missing", "/", "")):
        folder = tmp_path / str(number)
        folder.mkdir()
        if target:
            (folder / "manifest.json").symlink_to(target)
        else:
            os.mkfifo(folder / "manifest.json")
        with pytest.raises(Refusal, match="which no publication has; remove it"):
            read_contents(folder)


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "manifest.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Refusal, match=r"'manifest.json' is too large: a file has at most 64 MiB"):
        read_contents(tmp_path)


def test_files_together_have_a_bound(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(bytes(6))
    (tmp_path / "sweep.toml").write_bytes(bytes(6))
    with pytest.raises(Refusal, match="is too large"):
        read_contents(tmp_path, Bounds(total_bytes=10))
    assert len(read_contents(tmp_path, Bounds(total_bytes=12)).files) == 2


def test_many_files_and_deep_folders_are_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep" / "code" / "/".join("a" * 20)
    deep.mkdir(parents=True)
    (deep / "x.py").write_text("")
    with pytest.raises(Refusal, match="folders deeper than 12"):
        read_contents(tmp_path / "deep")
    write_contents(tmp_path / "many", {f"code/mine/x{number}.py": b"" for number in range(4)})
    with pytest.raises(Refusal, match="more than 3 files"):
        read_contents(tmp_path / "many", Bounds(entries=3))


BOUNDS = [{}, {"entries": 5}, {"entries": 6}, {"total_bytes": 9}, {"total_bytes": 10}, {"depth": 1}]


@pytest.mark.parametrize("few", BOUNDS)
def test_what_may_be_written_is_what_may_be_read(tmp_path: Path, few: dict[str, int]) -> None:
    bounds = Bounds(**few)
    files = {"manifest.json": b"{}", "jobs/a.json.gz": b"12345", "code/mine/x.py": b"678"}
    write_contents(tmp_path, files)
    said = list[str]()
    for check in (lambda: check_bounds(files, bounds), lambda: read_contents(tmp_path, bounds)):
        try:
            check()
        except Refusal as refusal:
            said.append(str(refusal))
    assert len(said) == (0 if few in ({}, {"entries": 6}, {"total_bytes": 10}) else 2)


def test_a_file_that_is_too_large_to_be_read_may_not_be_written() -> None:
    with pytest.raises(Refusal, match=r"'report.html' is too large: a file has at most 64 MiB"):
        check_bounds({"report.html": bytes(MAX_FILE_BYTES + 1)})


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be read: No such file"):
        read_contents(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"NaN", b'{"a": Infinity}', b"[" * 5000])
def test_what_is_not_json_is_refused(content: bytes) -> None:
    with pytest.raises(Refusal, match=r"manifest.json is not JSON: "):
        Contents("x", {"manifest.json": content}).read_json("manifest.json")


def test_the_bound_of_a_file_is_that_of_a_run() -> None:
    assert MAX_FILE_BYTES == 64 << 20
    with pytest.raises(Refusal, match=r"sweep.toml is missing"):
        Contents("x", {}).read_bytes("sweep.toml")
