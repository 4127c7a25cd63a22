"""The fixture `plumbline` of pytest, which compares callables of a test. Importing this module imports no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.functions.results import FunctionComparison


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marker that has the settings of a comparison."""
    config.addinivalue_line(
        "markers", "plumbline(**settings): settings of the comparison in this test, such as budget='2m'"
    )


@pytest.fixture
def plumbline(request: pytest.FixtureRequest) -> Plumbline:
    """Compare callables in fresh processes, each of which runs this test again up to the comparison."""
    return Plumbline(request)


class Plumbline:
    """Comparer of the callables of one test."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request

    def compare(self, **callables: Callable[[], Any]) -> FunctionComparison:
        """Measure these callables, which take no arguments, and return their results by name.

        The test fails if they cannot be measured, with the reason.
        """
        from orchestrator.errors import UsageError
        from orchestrator.functions.in_tests import compare_callables

        try:
            found = compare_callables(self._request, callables)
        except UsageError as error:
            reason = str(error)
        else:
            print(found)  # pytest shows it where the test fails
            return found
        pytest.fail(reason, pytrace=False)
