"""The command `publish`, and the shipped workflow, whose own commands are run on a repository with results."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator.cli.commands.publish import list_names
from orchestrator.records.store import Store
from tests.orchestrator.conftest import Said
from tests.orchestrator.export.publication.forging import a_run_folder, measured_records

ROOT = Path(__file__).resolve().parents[4]
WORKFLOW = ROOT / "docs" / "how-to" / "publish-actions.yml"
GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
# Steps of the workflow that run this program or git.
STEPS = ("Check every publication", "Rebuild the site", "Compare it with the site in the repository")


def read_steps() -> dict[str, str]:
    """Return the commands of the workflow's steps by their names."""
    steps = re.split(r"(?m)^      (?:- |# )", WORKFLOW.read_text())[1:]
    named = {found[1]: step for step in steps if (found := re.match(r"name: (.*)\n", step))}
    commands = {name: re.search(r"(?ms)^        run: (?:\|\n)?(.*)", step) for name, step in named.items()}
    return {name: dedent(found[1]) for name, found in commands.items() if found}


@pytest.fixture
def repository(tmp_path: Path, inside: Callable[..., Said]) -> Path:
    """Make a repository with one published run and its site."""
    run = a_run_folder(tmp_path / "runs", measured_records())
    assert inside("publish", str(run.folder), "--to", "repository/results").code == 0
    assert inside("site", "repository/results", "--to", "repository/site").code == 0
    folder = tmp_path / "repository"
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "all"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True)
    program = tmp_path / "bin" / "plumbline"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orchestrator "$@"\n')
    program.chmod(0o755)
    return folder


def run_workflow(repository: Path) -> tuple[str, str]:
    """Run the steps of the workflow until one fails; return the name of that one, or nothing, and its output."""
    paths = os.pathsep.join((str(repository.parent / "bin"), os.environ["PATH"]))
    variables = os.environ | {"PATH": paths, "RESULTS": "results", "SITE": "site", "PYTHONPATH": str(ROOT)}
    for name in STEPS:
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", read_steps()[name]]
        done = subprocess.run(command, cwd=repository, env=variables, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        if done.returncode:
            return name, done.stdout
    return "", ""


@pytest.mark.long
def test_the_workflow_accepts_results_with_their_site(repository: Path) -> None:
    assert run_workflow(repository) == ("", "")


@pytest.mark.long
def test_the_workflow_fails_at_an_edited_record(repository: Path) -> None:
    next(repository.rglob("jobs/*.gz")).write_bytes(b"x")
    name, out = run_workflow(repository)
    assert name == STEPS[0]
    assert out.startswith("refused: results/")


@pytest.mark.long
@pytest.mark.parametrize("change", ["an edited page", "a missing page", "a page too many"])
def test_the_workflow_fails_if_the_site_is_another_one(repository: Path, change: str) -> None:
    index = repository / "site" / "index.html"
    if change == "an edited page":
        index.write_text(index.read_text().replace("undecided", "torch:fast"))
    elif change == "a missing page":
        shutil.rmtree(next((repository / "site").glob("[0-9a-f]*")))
    else:
        shutil.copy(index, next((repository / "site").glob("[0-9a-f]*")) / "more.html")
    for command in (["add", "."], ["commit", "--quiet", "--message", "edited"]):
        subprocess.run([*GIT, *command], cwd=repository, check=True)
    name, out = run_workflow(repository)
    assert name == STEPS[2]
    assert out.startswith("::error::The site is not that of the results. Run: plumbline site results --to site\n")


def test_the_names_of_this_user_and_machine_are_known(tmp_path: Path) -> None:
    names = list_names(tmp_path)
    assert socket.gethostname() in names
    assert {str(Path.home()), str(Path.cwd()), str(tmp_path)} <= {*names}


def test_the_folder_of_the_publications_has_to_be_named(inside: Callable[..., Said]) -> None:
    said = inside("publish")
    assert (said.code, said.out) == (2, "")
    assert "--to" in said.err


def test_there_has_to_be_a_run(tmp_path: Path, inside: Callable[..., Said]) -> None:
    said = inside("publish", "none", "--to", "results")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: there are no runs in runs")
    assert not (tmp_path / "results").exists()


def test_names_of_this_machine_in_a_record_are_not_published(tmp_path: Path, inside: Callable[..., Said]) -> None:
    first, *rest = measured_records()
    assert first.report is not None
    notes = (f"measured in {tmp_path} on {socket.gethostname()}",)
    told = first.model_copy(update={"result": first.report.model_copy(update={"notes": notes})})
    run = a_run_folder(tmp_path / "runs", [told, *rest])
    assert inside("publish", str(run.folder), "--to", "results").code == 0
    published = Store(next((tmp_path / "results").glob("*/*"))).read_records()[0]
    assert published.report is not None
    (note,) = published.report.notes
    assert note.startswith("measured in removed-path on ")
