"""Commits as git's own files name them: in checkouts made by git where there is one, and in hostile folders."""

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.files.git import read_commit

ONE, TWO = "1" * 40, "ab" * 20
GIT = shutil.which("git")
needs_git = pytest.mark.skipif(GIT is None, reason="no git is installed")


def a_checkout(folder: Path, head: str, **files: str) -> Path:
    """Write git's files into a folder, by their names with `__` for a slash."""
    for name, text in {"HEAD": head, **files}.items():
        place = folder.joinpath(".git", *name.split("__"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def run_git(folder: Path, *arguments: str) -> str:
    assert GIT is not None
    settings = (
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "commit.gpgsign=false",
    )
    done = subprocess.run([GIT, *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit_file(folder: Path, text: str) -> str:
    folder.joinpath("model.py").write_text(text)
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", text)
    return run_git(folder, "rev-parse", "HEAD")


def test_the_commit_of_a_branch_is_read_from_its_reference(tmp_path: Path) -> None:
    a_checkout(tmp_path, "ref: refs/heads/main\n", refs__heads__main=f"{ONE}\n")
    assert read_commit(tmp_path) == ONE


def test_a_folder_deep_in_a_checkout_is_at_its_commit(tmp_path: Path) -> None:
    a_checkout(tmp_path, f"{ONE}\n").joinpath("models", "mine").mkdir(parents=True)
    assert read_commit(tmp_path / "models" / "mine") == ONE


def test_a_packed_reference_is_found_by_its_whole_name(tmp_path: Path) -> None:
    packed = f"# pack-refs with: peeled fully-peeled sorted\n{ONE} refs/heads/main-old\n{TWO} refs/heads/main\n^{ONE}\n"
    a_checkout(tmp_path, "ref: refs/heads/main", **{"packed-refs": packed})
    assert read_commit(tmp_path) == TWO


def test_a_loose_reference_comes_before_a_packed_one(tmp_path: Path) -> None:
    a_checkout(tmp_path, "ref: refs/heads/main", refs__heads__main=ONE, **{"packed-refs": f"{TWO} refs/heads/main\n"})
    assert read_commit(tmp_path) == ONE


@pytest.mark.parametrize(
    ("head", "files"),
    [
        ("ref: refs/heads/unborn\n", {}),
        ("", {}),
        ("not a commit", {}),
        ("\udce9".encode("utf-8", "surrogateescape").decode("latin-1"), {}),
        ("ref: refs/heads/a", {"refs__heads__a": "ref: refs/heads/a"}),
        ("ref: refs/../../secret", {}),
        ("ref: /etc/hostname", {}),
        (ONE[:39], {}),
    ],
)
def test_without_a_commit_that_can_be_read_there_is_none(tmp_path: Path, head: str, files: dict[str, str]) -> None:
    inner = tmp_path / "checkout"
    inner.mkdir()
    (tmp_path / "secret").write_text(ONE)
    assert read_commit(a_checkout(inner, head, **files)) == ""


def test_a_reference_cannot_lead_out_of_the_checkout(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(TWO)
    a_checkout(tmp_path / "inner", "ref: refs/../../../secret", refs__heads__main=ONE)
    assert read_commit(tmp_path / "inner") == ""


def test_a_folder_outside_any_checkout_or_that_is_not_there_has_none(tmp_path: Path) -> None:
    if read_commit(tmp_path.parent):
        pytest.skip("the folder for temporary files is in a checkout")
    assert read_commit(tmp_path) == ""
    assert read_commit(tmp_path / "missing") == ""


def test_bytes_that_are_no_text_are_no_commit(tmp_path: Path) -> None:
    a_checkout(tmp_path, "")
    (tmp_path / ".git" / "HEAD").write_bytes(b"\xff\xfe\x00")
    assert read_commit(tmp_path) == ""


@needs_git
def test_what_git_says_of_a_branch_a_detached_head_and_packed_references_is_read(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q")
    first = commit_file(tmp_path, "one")
    assert read_commit(tmp_path) == first
    second = commit_file(tmp_path, "two")
    run_git(tmp_path, "pack-refs", "--all")
    assert read_commit(tmp_path) == second
    run_git(tmp_path, "checkout", "-q", first)
    assert read_commit(tmp_path) == first


@needs_git
def test_a_worktree_is_at_the_commit_of_its_own_branch(tmp_path: Path) -> None:
    main = tmp_path / "main"
    main.mkdir()
    run_git(main, "init", "-q")
    first = commit_file(main, "one")
    run_git(main, "worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    assert read_commit(tmp_path / "other") == first
    second = commit_file(tmp_path / "other", "two")
    assert (read_commit(tmp_path / "other"), read_commit(main)) == (second, first)


@needs_git
def test_a_change_that_is_not_committed_does_not_show(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q")
    first = commit_file(tmp_path, "one")
    (tmp_path / "model.py").write_text("two")
    assert read_commit(tmp_path) == first
