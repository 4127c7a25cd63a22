"""The script that draws charts: bundled once, kept for this user, and never taken from anybody else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.report.page import vega

OTHER = "window.vegaEmbed = somebody_else;"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty folder in which the script is kept."""
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    vega.bundle_vega.cache_clear()
    yield tmp_path / "home"
    vega.bundle_vega.cache_clear()


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of bundles made, each of which takes no time."""
    made = list[str]()

    def bundle() -> str:
        made.append(f"window.vegaEmbed = bundle_{len(made)};")
        return made[-1]

    monkeypatch.setattr(vega, "bundle_anew", bundle)
    return made


def bundle_again() -> str:
    """Return the script as another process would find it."""
    vega.bundle_vega.cache_clear()
    return vega.bundle_vega()


@pytest.mark.long
def test_the_script_defines_what_the_page_calls() -> None:
    assert "window.vegaEmbed" in vega.bundle_anew()


def test_it_is_bundled_once_and_kept_for_this_user_alone(home: Path, bundled: list[str]) -> None:
    first = vega.bundle_vega()
    assert bundle_again() == first
    assert bundled == [first]
    (kept,) = home.iterdir()
    assert kept.read_text() == first
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_script_that_others_may_write_is_not_taken(home: Path, bundled: list[str], mode: int) -> None:
    vega.bundle_vega()
    (kept,) = home.iterdir()
    kept.write_text(OTHER)
    kept.chmod(mode)
    assert bundle_again() == bundled[1]
    assert kept.read_text() == bundled[1]
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_script_of_another_user_is_not_taken(home: Path, bundled: list[str]) -> None:
    vega.bundle_vega()
    (kept,) = home.iterdir()
    kept.write_text(OTHER)
    os.chown(kept, 65534, 65534)
    assert bundle_again() == bundled[1]


def test_a_link_a_pipe_and_what_is_no_text_are_not_taken(home: Path, bundled: list[str], tmp_path: Path) -> None:
    vega.bundle_vega()
    (kept,) = home.iterdir()
    kept.write_bytes(b"\xff\xfe")
    assert bundle_again() == bundled[1]
    kept.unlink()
    (tmp_path / "other.js").write_text(OTHER)
    kept.symlink_to(tmp_path / "other.js")
    assert bundle_again() == bundled[2]
    assert (tmp_path / "other.js").read_text() == OTHER
    kept.unlink()
    os.mkfifo(kept)
    assert bundle_again() == bundled[3]


def test_the_script_of_another_version_is_removed(home: Path, bundled: list[str]) -> None:
    home.mkdir()
    (home / "vega-0.1.js").write_text(OTHER)
    (home / "other.js").write_text(OTHER)
    assert vega.bundle_vega() == bundled[0]
    assert len([*home.glob("vega-*.js")]) == 1
    assert (home / "other.js").read_text() == OTHER


def test_a_folder_that_cannot_be_written_costs_a_bundle_and_no_page(home: Path, bundled: list[str]) -> None:
    home.parent.joinpath("home").write_text("a file in the place of the folder")
    assert vega.bundle_vega() == bundled[0]
    assert bundle_again() == bundled[1]
