import sys

import pytest

from orchestrator.environments import CURRENT, find
from orchestrator.errors import UsageError
from schemas.catalog import Framework, Mode


def framework(package: str) -> Framework:
    return Framework(
        name="f", package=package, requirement="that-package==1.2", modes=(Mode(name="m", summary=""),), start_s=1
    )


def test_the_current_environment_is_the_interpreter_that_runs_this() -> None:
    assert str(find(CURRENT).python) == sys.executable


def test_an_installed_framework_lacks_nothing() -> None:
    assert find(CURRENT).lacks(framework("numpy")) == ""


def test_a_framework_that_is_not_installed_comes_with_the_command_that_installs_it() -> None:
    reason = find(CURRENT).lacks(framework("a_package_that_nobody_has"))
    assert reason.startswith("a_package_that_nobody_has is not installed here")
    assert f"{sys.executable} -m pip install that-package==1.2" in reason


def test_everything_that_is_missing_is_named_with_one_command_for_all() -> None:
    needy = framework("numpy").model_copy(update={"also_needs": {"nobody_has": "nobody-has==1", "nor_this": "this==2"}})
    reason = find(CURRENT).lacks(needy)
    assert reason.startswith("nobody_has, nor_this are not installed here")
    assert "-m pip install nobody-has==1 this==2`" in reason


def test_another_name_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown environment 'curent'; did you mean current"):
        find("curent")
