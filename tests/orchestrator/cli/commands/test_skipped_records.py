"""Records that cannot be read: every command that shows a run leaves them out, and names them."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.records.store import Store
from tests.orchestrator.conftest import Said

Inside = Callable[..., Said]
Swept = Callable[..., Store]


@pytest.fixture
def harmed(swept: Swept) -> tuple[Store, list[str]]:
    """Make a run with an empty, a newer and an oversized record, and return their names."""
    run = swept("harmed")
    empty, newer, large = sorted(run.jobs_folder.glob("*.json"))[:3]
    empty.write_bytes(b"")
    newer.write_text(json.dumps(json.loads(newer.read_text()) | {"schema_version": 99, "new": 1}))
    os.truncate(large, 65 << 20)
    return run, [empty.name, newer.name, large.name]


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["show", "harmed"], "err"),
        (["show", "harmed", "--json"], "err"),
        (["show", "harmed", "012", "--json"], "code"),
        (["export", "harmed"], "err"),
        (["export", "harmed", "--format", "markdown"], "out"),
        (["report", "harmed", "--output", "page.html"], "err"),
        (["compare", "sound", "harmed"], "out"),
        (["compare", "sound", "harmed", "--markdown"], "out"),
    ],
)
def test_the_others_are_shown_and_one_line_names_what_is_skipped(
    inside: Inside, swept: Swept, harmed: tuple[Store, list[str]], arguments: list[str], where: str
) -> None:
    swept("sound", seed=2)
    before = sorted(path.name for path in harmed[0].jobs_folder.iterdir())
    said = inside(*arguments)
    assert said.code == (ExitCode.USAGE if where == "code" else ExitCode.FINE), said.err
    text = " ".join((said.err if where == "code" else getattr(said, where)).split()).replace("\\", "")
    assert text.count("Skipped 3 records: ") == 1
    assert all(name in text for name in harmed[1])
    assert sorted(path.name for path in harmed[0].jobs_folder.iterdir()) == before


def test_the_document_lists_them_and_the_page_shows_them(inside: Inside, harmed: tuple[Store, list[str]]) -> None:
    skipped = json.loads(inside("show", "harmed", "--json").out)["skipped"]
    assert [line.partition(" ")[0] for line in skipped] == harmed[1]
    inside("report", "harmed", "--output", "page.html")
    assert "Skipped 3 records: " in Path("page.html").read_text(encoding="utf-8")


def test_many_are_counted_and_only_the_first_are_named(inside: Inside, swept: Swept) -> None:
    paths = sorted(swept("harmed").jobs_folder.glob("*.json"))[:9]
    for path in paths:
        path.write_bytes(b"")
    said = inside("show", "harmed")
    assert f"Skipped 9 records: {paths[0].name} " in said.err
    assert said.err.rstrip().endswith("; and 6 more.")
