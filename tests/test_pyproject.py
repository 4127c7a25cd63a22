"""Metadata of the distribution, and the hints of the program and the documentation that depend on it."""

import re
import tomllib
from pathlib import Path

import pytest

from orchestrator.machine import interpreter_probe

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HINT = re.compile(r"\b(plumbline[\w-]*)\[([\w,]+)\]")
TEXTS = [ROOT / "pyproject.toml", *ROOT.glob("*.md")]
TEXTS += [
    path for folder in ("docs", "orchestrator", "tests/benchmarks") for path in (ROOT / folder).rglob("*.[mp][dy]")
]
HINTS = {
    (str(path.relative_to(ROOT)), found[1], extra)
    for path in TEXTS
    for found in HINT.finditer(path.read_text())
    for extra in found[2].split(",")
}


def test_hints_are_found_in_the_program_and_in_the_documentation() -> None:
    assert {name.partition("/")[0] for name, _, _ in HINTS} >= {"pyproject.toml", "orchestrator", "docs"}


@pytest.mark.parametrize(("file", "distribution", "extra"), sorted(HINTS))
def test_a_hint_names_this_distribution_and_an_extra_that_it_has(file: str, distribution: str, extra: str) -> None:
    assert distribution == PROJECT["name"], file
    assert extra in PROJECT["optional-dependencies"], file


def test_the_program_knows_the_name_of_its_distribution() -> None:
    assert PROJECT["name"] == interpreter_probe.PROJECT
    assert PROJECT["scripts"] == {"plumbline": "orchestrator.cli:main"}
