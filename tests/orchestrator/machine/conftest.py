"""Roots of made-up machines."""

from pathlib import Path

import pytest

from tests.orchestrator.machine.kernel import MACHINE, Build, Texts, write


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return the quiet machine with some files changed, as a root."""

    def made(changes: Texts | None = None) -> Path:
        return write(tmp_path, MACHINE | dict(changes or {}))

    return made
