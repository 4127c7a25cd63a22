"""The documentation holds: its links lead somewhere, its paths exist, its commands are accepted, its site builds."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCE_PATH = re.compile(r"`((?:orchestrator|workers|schemas|tests|docs|runs)/[\w./-]*)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"```(?:sh|bash|console)\n(.*?)```", re.DOTALL)
PROGRAM = "python -m orchestrator "
READ_ONLY = ("list", "doctor", "schema", "env list")
"""Commands that are run as they are. They need no run and make nothing."""


def name_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


def list_commands() -> Iterator[tuple[str, str]]:
    """Yield every command of this program in a code block, with the page on which it stands, each command once."""
    seen = set[str]()
    for page in PAGES:
        for block in FENCE.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                command = line.partition(" #")[0].strip()
                if command.startswith(PROGRAM) and command not in seen:
                    seen.add(command)
                    yield name_page(page), command.removeprefix(PROGRAM)


COMMANDS = sorted(list_commands(), key=lambda found: found[1])


def test_every_page_is_read() -> None:
    assert len(PAGES) > 15


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_path_of_the_source_that_a_page_names_exists(page: Path) -> None:
    missing = [path for path in SOURCE_PATH.findall(page.read_text()) if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in targets if not (page.parent / link).exists()] == []


def test_the_site_builds_without_a_broken_link(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").is_file()


def test_the_documentation_shows_commands() -> None:
    verbs = {command.split()[0] for _, command in COMMANDS}
    assert {"sweep", "plan", "list", "doctor", "compare", "export", "resume", "report", "show", "selftest"} <= verbs


@pytest.mark.parametrize(("page", "command"), [each for each in COMMANDS if each[1].startswith(READ_ONLY)])
def test_a_command_that_only_reads_runs_as_documented(inside: Callable[..., object], page: str, command: str) -> None:
    done = inside(*shlex.split(command.partition(" > ")[0]))
    assert done.code in (0, 1), (page, command, done.err)  # type: ignore[attr-defined]
    assert done.out  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("page", "command"),
    [
        each
        for each in COMMANDS
        if each[1].split()[0] in ("sweep", "plan") and not re.search(r"\.toml|\./|--workload ", each[1])
    ],
)
def test_the_options_of_a_documented_sweep_make_a_plan(inside: Callable[..., object], page: str, command: str) -> None:
    options = [word for word in shlex.split(command)[1:] if word not in ("--json", "--no-report")]
    done = inside("plan", *options)
    sentence = done.err  # type: ignore[attr-defined]
    assert done.code == 0 or "environment" in sentence or "nothing to run" in sentence, (page, command, sentence)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_documented_option_exists(inside: Callable[..., object], page: str, command: str) -> None:
    words = shlex.split(command)
    verb = words[:2] if words[0] == "env" else words[:1]
    known = inside(*verb, "--help").out  # type: ignore[attr-defined]
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    assert unknown == [], page
