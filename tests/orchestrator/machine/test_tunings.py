"""A tuning that a machine lacks is refused in one sentence, with the remedy."""

from pathlib import Path
from typing import get_args

import pytest

from orchestrator.machine import tunings
from orchestrator.machine.tunings import explain_missing_tuning, has_library, offers_huge_pages
from schemas.tuning import LIBRARY_VARIABLE, TUNINGS, Tuning

ALLOCATORS: list[Tuning] = [name for name, entry in TUNINGS.items() if entry.library]


def test_every_tuning_has_an_entry() -> None:
    assert {*get_args(Tuning)} == TUNINGS.keys()


@pytest.mark.parametrize("tuning", ["none", "channels-first", "channels-last", "no-onednn"])
def test_what_a_framework_does_itself_needs_nothing(tuning: Tuning) -> None:
    assert explain_missing_tuning(tuning) == ""


@pytest.mark.parametrize("tuning", ALLOCATORS)
def test_an_allocator_that_is_not_installed_is_named_with_its_package(
    tuning: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunings, "has_library", lambda library: False)
    entry = TUNINGS[tuning]
    assert explain_missing_tuning(tuning) == f"{tuning} needs {entry.library}: apt-get install {entry.package}"
    assert entry.variables == {LIBRARY_VARIABLE: entry.library}


def test_a_library_is_found_by_the_name_that_the_loader_knows() -> None:
    assert has_library("libc.so.6")
    assert not has_library("libc.so.1")
    assert not has_library("libthereisnone.so.1")


@pytest.mark.parametrize(
    ("said", "offered"),
    [("always [madvise] never\n", True), ("[always] madvise never\n", True), ("always madvise [never]\n", False)],
)
def test_the_kernel_says_whether_it_gives_huge_pages(tmp_path: Path, said: str, offered: bool) -> None:
    file = tmp_path / "enabled"
    file.write_text(said)
    assert offers_huge_pages(file) == offered
    assert (explain_missing_tuning("huge-pages", file) == "") == offered


def test_a_kernel_that_has_none_says_nothing_and_gives_none(tmp_path: Path) -> None:
    assert "write madvise to /sys/kernel" in explain_missing_tuning("huge-pages", tmp_path / "enabled")
