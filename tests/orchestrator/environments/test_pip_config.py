"""The user's settings for pip mean the same here and in pip: `pip config list` is the reference."""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.environments import pip_config
from orchestrator.environments.pip_config import ConfigFolders
from orchestrator.errors import UsageError

USER = "[global]\nindex-url = https://user.example/simple\ntimeout = 7\n[install]\nfind-links =\n  /one\n  /two\n"
GLOBAL = "[global]\nindex-url = https://global.example/simple\ncert = /global.pem\nno-compile = true\n"
SITE = "[global]\ncert = /site.pem\n[install]\nindex_url = https://site.example/simple\n[list]\nformat = json\n"


@pytest.fixture
def places(tmp_path: Path) -> ConfigFolders:
    files = {
        "home/.config/pip/pip.conf": USER,
        "home/.pip/pip.conf": USER.replace("7", "8"),
        "root/etc/pip.conf": GLOBAL,
        "site/pip.conf": SITE,
        "mine.conf": "[global]\nproxy = http://mine.example\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return ConfigFolders(home=tmp_path / "home", prefix=tmp_path / "site", root=tmp_path / "root")


def test_a_later_file_goes_before_an_earlier_one_and_the_command_before_the_general(places: ConfigFolders) -> None:
    assert pip_config.read_pip_settings({}, places) == {
        "index-url": "https://site.example/simple",
        "cert": "/site.pem",
        "no-compile": "true",
        "timeout": "7",
        "find-links": "\n/one\n/two",
    }


def test_a_variable_goes_before_every_file(places: ConfigFolders) -> None:
    said = pip_config.read_pip_settings(
        {"PIP_TIMEOUT": "9", "PIP_FIND_LINKS": "/three", "PIP_CERT": "", "PIP_VERSION": "x"}, places
    )
    assert (said["timeout"], said["find-links"], said["cert"], "version" in said) == ("9", "/three", "/site.pem", False)


def test_a_file_that_a_variable_names_stands_in_the_place_of_the_users_own(
    places: ConfigFolders, tmp_path: Path
) -> None:
    said = pip_config.read_pip_settings({"PIP_CONFIG_FILE": str(tmp_path / "mine.conf")}, places)
    assert said["proxy"] == "http://mine.example"
    assert "timeout" not in said
    assert pip_config.read_pip_settings({"PIP_CONFIG_FILE": os.devnull}, places) == {}


def test_pip_itself_reads_the_same_from_the_same_files(tmp_path: Path, places: ConfigFolders) -> None:
    variables = {"HOME": str(places.home), "XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "PIP_TIMEOUT": "11"}
    (tmp_path / "xdg" / "pip").mkdir(parents=True)
    (tmp_path / "xdg" / "pip" / "pip.conf").write_text("[install]\npre = true\n")
    command = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout
    theirs: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in told.splitlines():
        section, _, rest = line.partition(".")
        name, _, value = rest.partition("=")
        theirs.get(section, {})[name] = ast.literal_eval(value)
    ours = pip_config.read_pip_settings(variables, ConfigFolders(home=places.home))
    assert ours == theirs["global"] | theirs["install"] | theirs[":env:"]
    assert (ours["pre"], ours["timeout"], ours["index-url"]) == ("true", "11", "https://user.example/simple")


@pytest.mark.parametrize("text", ["no section\n", "[global]\nx = 1\nx = 2\n"])
def test_a_file_that_pip_could_not_read_is_named(places: ConfigFolders, text: str) -> None:
    path = places.prefix / "pip.conf"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"pip's configuration {path} cannot be read: "):
        pip_config.read_pip_settings({}, places)


def test_for_pip_all_of_it_is_variables() -> None:
    said = pip_config.to_pip_variables({"find-links": "\n/one\n/two", "no-index": "true"})
    assert said == {"PIP_FIND_LINKS": "/one /two", "PIP_NO_INDEX": "true"}


def test_what_changes_no_installation_is_told_from_what_decides_it() -> None:
    said = {"find-links": "/wheels", "cache-dir": "/cache", "quiet": "1", "disable-pip-version-check": "1"}
    assert pip_config.list_decisive(said) == ["cache-dir", "find-links"]


@pytest.mark.parametrize(
    ("variables", "file", "told"),
    [
        ({}, "", False),
        ({"UV_DEFAULT_INDEX": "x"}, "", True),
        ({"UV_INDEX_URL": "x"}, "", True),
        ({"UV_FIND_LINKS": "x"}, "", True),
        ({"UV_CACHE_DIR": "x"}, "", False),
        ({}, 'index-url = "https://x.example"', True),
        ({}, '[[index]]\nurl = "https://x.example"', True),
        ({}, '[pip]\nfind-links = ["/x"]', True),
        ({}, "compile-bytecode = true", False),
        ({"UV_CONFIG_FILE": "/no/such/file"}, 'index-url = "https://x.example"', False),
    ],
)
def test_uv_has_package_sources_if_a_variable_or_its_file_names_any(
    places: ConfigFolders, variables: Mapping[str, str], file: str, told: bool
) -> None:
    (places.home / ".config" / "uv").mkdir(parents=True)
    (places.home / ".config" / "uv" / "uv.toml").write_text(file)
    assert pip_config.has_uv_sources(variables, places) == told
