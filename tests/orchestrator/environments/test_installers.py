import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.environments import installers
from orchestrator.environments.cache import read_marker
from orchestrator.environments.installers import Pip, Uv
from orchestrator.environments.pip_config import ConfigFolders
from orchestrator.selftest.cpu_hog import ManualInterrupts
from tests.orchestrator.environments.conftest import RecordedProvisioner, make_definition
from tests.orchestrator.environments.wheels import make_offline_variables

PYTHON, FILE = Path("/env/bin/python"), Path("/a file")


def program(folder: Path) -> Path:
    folder.mkdir()
    (folder / "uv").write_text("#!/bin/sh\n")
    (folder / "uv").chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("variables", "pip_conf", "uv_toml", "chosen"),
    [
        ({}, "", "", Uv),
        ({}, "[global]\ndisable-pip-version-check = true\n", "", Uv),
        ({"PIP_NO_COLOR": "1"}, "", "", Uv),
        ({}, "[install]\nfind-links = /wheels\n", "", Pip),
        ({}, "[global]\nconstraint = /c.txt\n", "", Pip),
        ({"PIP_EXTRA_INDEX_URL": "https://x.example"}, "", "", Pip),
        ({"PIP_EXTRA_INDEX_URL": "https://x.example", "UV_INDEX": "https://x.example"}, "", "", Uv),
        ({}, "[global]\nindex-url = https://x.example\n", 'index-url = "https://x.example"\n', Uv),
        ({"UV_CACHE_DIR": "/cache"}, "[global]\nindex-url = https://x.example\n", "compile-bytecode = true\n", Pip),
        ({"UV_INDEX": "https://x.example"}, "", "", Uv),
    ],
)
def test_uv_installs_only_where_nothing_that_pip_was_told_is_lost(
    tmp_path: Path, variables: dict[str, str], pip_conf: str, uv_toml: str, chosen: type[object]
) -> None:
    places = ConfigFolders(tmp_path, tmp_path, tmp_path)
    (tmp_path / "pip.conf").write_text(pip_conf)
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    (tmp_path / ".config" / "uv" / "uv.toml").write_text(uv_toml)
    path = str(program(tmp_path / "bin"))
    found = installers.choose_installer(variables | {"PATH": path}, places)
    assert type(found) is chosen
    assert not isinstance(found, Uv) or found.program == str(tmp_path / "bin" / "uv")
    assert isinstance(installers.choose_installer(variables | {"PATH": str(tmp_path)}, places), Pip)


def test_pip_gets_what_the_user_has_told_it_and_neither_gets_what_changes_python(tmp_path: Path) -> None:
    places = ConfigFolders(tmp_path, tmp_path, tmp_path)
    said = {"PYTHONPATH": "/evil", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/h"}
    uv = installers.choose_installer(said | {"PATH": str(program(tmp_path / "bin"))}, places)
    (tmp_path / "pip.conf").write_text("[global]\nfind-links = /wheels\nno-index = true\n")
    pip = installers.choose_installer(said | {"PATH": str(tmp_path / "bin")}, places)
    assert (uv.name, pip.name) == ("uv", "pip")
    assert (pip.variables["PIP_FIND_LINKS"], pip.variables["PIP_NO_INDEX"]) == ("/wheels", "true")
    for found in (pip, uv):
        assert found.variables["HOME"] == "/h"
        assert not any(name.startswith("PYTHON") for name in found.variables)


@pytest.mark.parametrize("installer", [Pip({}), Uv("uv", {})])
def test_what_was_resolved_is_installed_with_bytecode_and_nothing_more(installer: installers.Installer) -> None:
    command = installer.make_install_command(PYTHON, FILE)
    assert "--no-deps" in command
    assert {"--compile", "--compile-bytecode"} & set(command)
    assert command[-2:] == ["-r", str(FILE)]
    assert str(PYTHON) in command


def entry(name: str, version: str, digest: str | None, *, direct: bool = False) -> dict[str, object]:
    archive = {"archive_info": {"hashes": {"sha256": digest}} if digest else {}}
    info = {"url": f"https://host.example/{name}.whl"} | (archive if digest else {"vcs_info": {}})
    return {"metadata": {"name": name, "version": version}, "download_info": info, "is_direct": direct}


def resolved(tmp_path: Path, *entries: dict[str, object]) -> tuple[str, ...]:
    (tmp_path / "report.json").write_text(json.dumps({"install": entries}))
    return Pip({}).read_resolution(tmp_path / "report.json")


def test_a_resolution_is_of_exact_versions_with_hashes_and_names_no_host(tmp_path: Path) -> None:
    found = resolved(tmp_path, entry("Tiny_Thing", "1.0+cpu", "bb"), entry("a", "2", "aa"))
    assert found == ("a==2 --hash=sha256:aa", "tiny-thing==1.0+cpu --hash=sha256:bb")


def test_only_what_was_asked_for_by_its_address_keeps_it(tmp_path: Path) -> None:
    found = resolved(tmp_path, entry("tiny", "1", "bb", direct=True))
    assert found == ("tiny @ https://host.example/tiny.whl --hash=sha256:bb",)


def test_where_one_has_no_hash_none_has_one_since_installers_want_all_or_none(tmp_path: Path) -> None:
    found = resolved(tmp_path, entry("tiny", "1", None, direct=True), entry("a", "2", "aa"))
    assert found == ("a==2", "tiny @ https://host.example/tiny.whl")


def test_uvs_answer_is_a_line_for_each_distribution(tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    answer.write_text("b==2 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\na==1 \\\n    --hash=sha256:3\n")
    assert Uv("uv", {}).read_resolution(answer) == ("a==1 --hash=sha256:3", "b==2 --hash=sha256:1 --hash=sha256:2")


@pytest.mark.parametrize("has_uv", [False, True])
def test_without_what_could_install_the_way_to_pip_is_named(tmp_path: Path, has_uv: bool) -> None:
    text = (
        "import sys\n"
        "from orchestrator.environments import installers\n"
        "found = installers.PathFinder.find_spec\n"
        "installers.PathFinder.find_spec = lambda name, *rest: None if name == 'pip' else found(name, *rest)\n"
        "installers.choose_installer({'PATH': sys.argv[1], 'PIP_FIND_LINKS': '/x', 'PIP_CONFIG_FILE': '/dev/null'})"
    )
    path = str(program(tmp_path / "bin")) if has_uv else ""
    said = subprocess.run([sys.executable, "-c", text, path], capture_output=True, text=True, check=False).stderr
    lost = "pip is configured for find-links, which uv does not read, and pip is not installed"
    why = lost if has_uv else "neither uv nor pip is installed to make environments"
    assert f"UsageError: {why}; run {sys.executable} -m ensurepip" in said
    assert ("or tell uv where packages come from" in said) == has_uv


def test_whoever_looks_for_pip_leaves_distutils_to_setuptools() -> None:
    text = (
        "import setuptools, sys\n"
        "from orchestrator.environments import installers\n"
        "installers.choose_installer({'PATH': '', 'PIP_CONFIG_FILE': '/dev/null'})\n"
        "import distutils.core\n"
        "assert '_distutils' in distutils.core.__file__, distutils.core.__file__"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_real_uv_makes_the_same_environment_as_pip_from_the_same_packages(
    made: RecordedProvisioner, shelf: Path, tmp_path: Path
) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    (tmp_path / "uv.toml").write_text(f'no-index = true\nfind-links = ["{shelf}"]\n')
    path = os.pathsep.join([str(Path(uv).parent), os.environ["PATH"]])
    variables = make_offline_variables(shelf) | {"PATH": path, "UV_CONFIG_FILE": str(tmp_path / "uv.toml")}
    with ManualInterrupts() as silent:
        shop = RecordedProvisioner(type(made.home)(tmp_path / "home"), installers.choose_installer(variables), silent)
        assert shop.installer.name == "uv"
        (ready,) = shop.make(make_definition())
    theirs = read_marker(made.folder(make_definition()))
    assert theirs is not None
    assert ready.environment.freeze == theirs.environment.freeze
    assert list(shop.folder(make_definition()).glob("lib/python3.*/site-packages/__pycache__/tiny.*.pyc"))
