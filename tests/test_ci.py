"""The script `.ci/run`: every check in a fresh clone, of which nothing is left."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STEPS = ["tests", "tests --long", "ruff check .", "ruff format --check .", "mypy", "lint-imports", "mkdocs build"]
# Makes an environment whose programs note their arguments; the one that is to fail ends with 7.
MAKE_ENVIRONMENT = """\
import os, pathlib
folder = pathlib.Path(".venv/bin")
folder.mkdir(parents=True)
for name in ("python", "lint-imports"):
    program = folder / name
    program.write_text(
        '#!/bin/sh\\nshift_m=$1; [ "$shift_m" = -m ] && shift\\n'
        f'[ "$#" = 0 ] && set -- {name}\\necho "$*" >> "$NOTES"\\n: > "$TMPDIR/left"\\n'
        'echo "${PYTHONPATH-none}" >> "$NOTES.paths"\\n'
        'case "$*" in "$FAILING") exit 7;; esac\\n'
    )
    program.chmod(0o755)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the script is for a Unix shell")


@dataclass(frozen=True)
class Checked:
    """A run of the script on a small project."""

    code: int
    out: str
    steps: list[str]
    left: list[str]
    paths: set[str]


def check(folder: Path, failing: str = "nothing", variables: Mapping[str, str] | None = None) -> Checked:
    """Run the script on a project whose checks only note that they were run."""
    project, temporary = folder / "project", folder / "temporary"
    (project / ".ci").mkdir(parents=True)
    temporary.mkdir()
    (project / ".ci" / "run").write_bytes((ROOT / ".ci" / "run").read_bytes())
    (project / "make_environment.py").write_text(MAKE_ENVIRONMENT)
    (project / "README.md").write_text("```sh\npython3 make_environment.py && .venv/bin/python -m tests\n```\n")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    # With a browser on the PATH, the script does not install one.
    (folder / "chromium").write_text("#!/bin/sh\n")
    (folder / "chromium").chmod(0o755)
    search = f"{folder}{os.pathsep}{os.environ['PATH']}"
    given = {
        "PATH": search,
        "TMPDIR": str(temporary),
        "NOTES": str(folder / "notes"),
        "FAILING": failing,
        **(variables or {}),
    }
    done = subprocess.run(
        ["bash", str(project / ".ci" / "run")],
        cwd=folder,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )
    ran = (folder / "notes").read_text().splitlines()
    left = [path.name for path in [*temporary.iterdir(), *project.iterdir()]]
    paths = {*(folder / "notes.paths").read_text().splitlines()}
    return Checked(done.returncode, done.stdout, ran, sorted(left), paths)


def test_the_readmes_command_comes_first_and_then_every_other_check(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.code == 0, done.out
    assert len(done.steps) == len(STEPS)
    assert all(ran.startswith(due) for ran, due in zip(done.steps, STEPS, strict=True)), done.steps
    assert "python3 make_environment.py && .venv/bin/python -m tests" in done.out


@pytest.mark.parametrize("failing", ["tests", "mypy"])
def test_a_check_that_fails_ends_it_with_its_exit_code(tmp_path: Path, failing: str) -> None:
    done = check(tmp_path, failing)
    assert (done.code, done.steps[-1]) == (7, failing)
    assert "exit code 7" in done.out.splitlines()[-1]


@pytest.mark.parametrize("failing", ["nothing", "tests"])
def test_nothing_is_left_behind(tmp_path: Path, failing: str) -> None:
    assert check(tmp_path, failing).left == [".ci", ".git", "README.md", "make_environment.py"]


def test_it_ends_with_the_seconds_of_each_step(tmp_path: Path) -> None:
    _, _, table = check(tmp_path).out.partition("Seconds for each step:\n")
    *steps, total = table.splitlines()
    assert len(steps) == len(STEPS)
    assert all(re.match(r" +\d+  \S", line) for line in steps)
    assert re.fullmatch(r"total: \d+ s, exit code 0", total)


def test_another_copy_of_the_project_on_pythons_path_is_not_tested_instead(tmp_path: Path) -> None:
    assert check(tmp_path, variables={"PYTHONPATH": "/elsewhere"}).paths == {"none"}


def test_the_readme_has_the_command_that_it_looks_for() -> None:
    found = re.findall(r"^python3 .*-m tests$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(found) == 1
