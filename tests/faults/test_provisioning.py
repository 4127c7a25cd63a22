"""The short form of the campaign against the creation of environments."""

import sys
from pathlib import Path

import pytest

from orchestrator.environments.cache import EnvironmentCache
from tests.faults.provisioning import find_broken, run_campaign
from tests.orchestrator.environments.wheels import make_offline_variables, make_wheel_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")


@pytest.mark.long
def test_whenever_it_is_killed_no_environment_is_used_half_made(tmp_path: Path) -> None:
    variables = make_offline_variables(make_wheel_folder(tmp_path / "wheels"))
    done = list(run_campaign(tmp_path, "tiny==1.0", 4, 4.0, 1, variables))
    assert [each.broken for each in done] == [()] * 5
    assert done[-1].found == "ready"


@pytest.mark.long
def test_the_campaign_would_notice_a_file_that_is_missing(tmp_path: Path) -> None:
    variables = make_offline_variables(make_wheel_folder(tmp_path / "wheels"))
    list(run_campaign(tmp_path, "tiny==1.0", 0, 1.0, 1, variables))
    home = EnvironmentCache(tmp_path / "home")
    (made,) = home.list_folders()
    (file,) = made.glob("lib/python3*/site-packages/helper.py")
    file.unlink()
    assert list(find_broken(home)) == [f"{made.name}: helper.py is not what helper-0.5.dist-info lists"]
