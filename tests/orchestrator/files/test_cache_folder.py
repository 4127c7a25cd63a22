"""The folder of what is kept for one user."""

from pathlib import Path

import pytest

from orchestrator.files.cache_folder import find_cache_folder


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({"PLUMBLINE_HOME": "/mine", "XDG_CACHE_HOME": "/cache"}, "/mine"),
        ({"PLUMBLINE_HOME": "", "XDG_CACHE_HOME": "/cache"}, "/cache/plumbline"),
        ({"PLUMBLINE_HOME": "", "XDG_CACHE_HOME": ""}, str(Path.home() / ".cache" / "plumbline")),
    ],
)
def test_it_is_where_the_user_says_or_in_his_cache(
    variables: dict[str, str], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(find_cache_folder()) == where
