"""One run that is published once; each test gets a copy."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.export.publication.publish import publish_run
from orchestrator.records.store import Store
from tests.orchestrator.export.publication.forging import a_run_folder, measured_records

NOW = datetime(2025, 6, 1, tzinfo=UTC)
NAMES = ("alice", "alices-laptop", "/home/alice")


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The publication of a run in which all went well."""
    folder = tmp_path_factory.mktemp("published")
    run = a_run_folder(folder / "runs", measured_records())
    return publish_run(run, folder / "results", NAMES, NOW, with_code=False)


@pytest.fixture
def published(original: Path, tmp_path: Path) -> Path:
    """A copy of it, to edit."""
    target = tmp_path / "results" / original.parent.name / original.name
    shutil.copytree(original, target)
    return target


@pytest.fixture
def run(tmp_path: Path) -> Store:
    """The run before it is published."""
    return a_run_folder(tmp_path / "runs", measured_records())
