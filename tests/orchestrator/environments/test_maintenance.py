import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.environments import maintenance
from orchestrator.environments.cache import MARKER, EnvironmentCache, locate_lock, read_marker
from orchestrator.environments.lookup import Environments
from orchestrator.errors import UsageError
from orchestrator.files import lock
from orchestrator.machine.findings import Finding
from schemas.environment import EnvironmentSpec
from tests.orchestrator.environments.conftest import RecordedProvisioner, make_definition

TINY = {"tiny": EnvironmentSpec(requirements=("tiny==1.0",))}
OTHER = {"tiny": EnvironmentSpec(requirements=("tiny==2.0",))}


@pytest.fixture
def copy(made: RecordedProvisioner, home: EnvironmentCache) -> EnvironmentCache:
    """Return a home with the tests' small environment, to change."""
    shutil.copytree(made.home.root, home.root, symlinks=True)
    return home


def found(findings: Sequence[Finding], about: str) -> Finding:
    return next(finding for finding in findings if finding.about.startswith(about))


def test_an_environment_goes_that_is_not_whole_or_not_what_its_name_means_now(copy: EnvironmentCache) -> None:
    (folder,) = copy.list_folders()
    assert list(maintenance.find_superseded(Environments(TINY, copy))) == []
    assert list(maintenance.find_superseded(Environments({}, copy))) == []  # a sweep file may still name it
    copy.write_resolution("tiny", Environments(OTHER, copy).find("tiny").request_key, ("tiny==2.0",))
    assert list(maintenance.find_superseded(Environments(OTHER, copy))) == [folder]
    (folder / MARKER).unlink()
    assert list(maintenance.find_superseded(Environments(TINY, copy))) == [folder]


def test_what_is_named_goes_with_what_its_requirements_came_to(copy: EnvironmentCache) -> None:
    environments = Environments(TINY, copy)
    (removed,) = maintenance.remove_environments(maintenance.select_folders(environments, ["tiny"]))
    assert (removed.busy, removed.size_bytes > 1000) == (False, True)
    assert list(copy.list_folders()) == []
    assert Environments(TINY, copy).find("tiny").pinned == ()


def test_what_is_in_use_stays(copy: EnvironmentCache) -> None:
    (folder,) = copy.list_folders()
    with lock.hold_shared(locate_lock(folder)):
        (removed,) = maintenance.remove_environments(copy.list_folders())
    assert removed.busy
    assert read_marker(folder) is not None


def test_what_was_not_made_here_is_nobodys_to_remove(copy: EnvironmentCache) -> None:
    with pytest.raises(UsageError, match="current was not made here"):
        list(maintenance.select_folders(Environments({}, copy), ["current"]))


def test_a_sound_environment_is_found_sound(made: RecordedProvisioner) -> None:
    finding = maintenance.check_environment(made.folder(make_definition()))
    assert (finding.severity, finding.what) == (
        "fine",
        f"tiny is unchanged since it was made: 5 packages, {finding.what.rpartition(', ')[2]}",
    )


def test_one_that_somebody_has_changed_is_found_out(copy: EnvironmentCache) -> None:
    (folder,) = copy.list_folders()
    (metadata,) = folder.glob("lib/python3*/site-packages/helper-0.5.dist-info/METADATA")
    metadata.write_text(metadata.read_text().replace("0.5", "0.7"))
    finding = maintenance.check_environment(folder)
    assert finding.severity == "warning"
    assert "helper 0.5 is now 0.7" in finding.what
    assert "env prune tiny" in finding.advice


def test_one_that_is_not_whole_is_found(copy: EnvironmentCache) -> None:
    (folder,) = copy.list_folders()
    (folder / MARKER).unlink()
    assert "is incomplete" in maintenance.check_environment(folder).what


def test_the_installer_is_named_with_the_settings_that_it_knows_and_not_their_values(
    made: RecordedProvisioner, tmp_path: Path
) -> None:
    variables = {"PIP_INDEX_URL": "https://user:secret@host.example/simple", "PIP_CONFIG_FILE": "/dev/null", "PATH": ""}
    finding = found(maintenance.examine_environments(made.home, variables), "installer")
    assert finding.what == "pip installs packages and obeys pip's configuration for index-url."


def test_a_home_that_cannot_be_written_to_is_an_objection(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (finding,) = maintenance.check_folder(EnvironmentCache(tmp_path / "file"))
    assert finding.severity == "unfit"


def test_a_file_of_definitions_that_cannot_be_read_is_an_objection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "plumbline" / "environments.toml"
    path.parent.mkdir()
    path.write_text("[environments.mine]\npython = 3.12\nrequirements = ['x']\n")
    (finding,) = maintenance.check_definitions()
    assert finding.severity == "unfit"
    assert f"{path}:2: environments.mine.python: " in finding.what
    path.write_text("[environments.mine]\nrequirements = ['x=1']\n")
    (finding,) = maintenance.check_definitions()
    assert finding.severity == "warning"


def test_environments_that_are_defined_and_those_that_were_made_have_names(
    made: RecordedProvisioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_HOME", str(made.home.root))
    assert {"torch", "tensorflow", "torch-export", "tiny"} <= set(maintenance.list_names())
