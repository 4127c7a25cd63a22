"""The start of a history: what users write, and which run they mean."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.comparison.since import LONG_AGO, find_since, parse_since
from orchestrator.errors import UsageError
from orchestrator.records.store import Store
from schemas.environment import EnvironmentRecord
from tests.orchestrator.conftest import HOST, NOON

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def test_a_date_a_time_and_a_number_of_days_are_understood() -> None:
    assert parse_since("2026-01-31T10:00:00+00:00", NOW) == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert parse_since("2026-01-31", NOW) == datetime(2026, 1, 31).astimezone()
    assert parse_since("30d", NOW) == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert parse_since("0d", NOW) == NOW
    assert parse_since("999999d", NOW) == LONG_AGO


@pytest.mark.parametrize("text", ["", "yesterday", "d", "-3d", "3w", "2026-13-01", "1.5d", "²d"])
def test_any_other_text_is_refused_with_an_example(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        UsageError, match=r"is no date; give one such as 2026-01-31, a number of days such as 30d, a commit, or "
    ):
        find_since(tmp_path, text, NOW)


@pytest.fixture
def root(make_run: Callable[..., Store]) -> Path:
    """Four daily runs: the workload was committed before the second, an environment and the host updated later."""
    environment = EnvironmentRecord(
        interpreter="python", python="3.11", packages={"torch": "2.13.0"}, installed={}, freeze="f"
    )
    newer = environment.model_copy(update={"packages": {"torch": "2.14.1+cpu"}})
    changes = [
        {"commits": {"mlp": "a" * 40}, "environments": {"torch": environment}},
        {"commits": {"mlp": "b" * 40}, "environments": {"torch": environment}},
        {"commits": {"mlp": "b" * 40}, "environments": {"torch": newer}},
        {"commits": {"mlp": "b" * 40}, "host": HOST.model_copy(update={"packages": {"numpy": "2.5.0"}})},
    ]
    runs = [make_run(f"day-{day}", [], day * 86_400, **each) for day, each in enumerate(changes)]
    return runs[0].folder.parent


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("bbbbbbb", 1),
        ("b" * 40, 1),
        ("torch==2.13.0", 0),
        ("torch==2.14", 2),
        ("Torch==2.14.1", 2),
        ("numpy==2.5.0", 3),
    ],
)
def test_a_commit_and_a_version_are_the_first_run_that_has_them(root: Path, text: str, day: int) -> None:
    assert find_since(root, text, NOW) == NOON.replace(day=1 + day)


@pytest.mark.parametrize("text", ["ccccccc", "9999999d", "torch==2.1", "jax==0.4.0"])
def test_what_no_run_has_is_refused_in_one_sentence(root: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"no run in .* has that; give a date such as 2026-01-31"):
        find_since(root, text, NOW)
