"""`plan`, `list` and `env list` start no process, whatever Python an environment asks for."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.report.environments import NOT_INSPECTED
from tests.orchestrator.environments.witness import OTHER_MINOR, make_witness

ROOT = Path(__file__).resolve().parents[4]
# The program under an audit of every way to start a process.
AUDITED = """
import sys

STARTS = {"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}


def note(event, arguments):
    if event in STARTS:
        print("started:", event, arguments, file=sys.stderr)


sys.addaudithook(note)
from orchestrator.cli import main

main()
"""
MINE = '[environments.mine]\nrequirements = ["tiny==1.0"]\npython = "{asked}"\n'
AXES = '[axes]\nframeworks = ["numpy", "torch:eager", "onnxruntime"]\nenvironment = ["{environment}"]\n'
SWEEPS = {
    "external": AXES.format(environment="{python}"),
    "by path": AXES.format(environment="mine") + MINE.format(asked="{python}"),
    "by version": AXES.format(environment="mine") + MINE.format(asked=OTHER_MINOR),
}


@dataclass(frozen=True)
class Stage:
    """A user's folder with a Python, and a uv, that both tell whether they were started."""

    folder: Path
    python: Path
    started: Path

    def run(self, *arguments: str) -> tuple[int, str, str]:
        variables = os.environ | {
            "PATH": os.pathsep.join([str(self.python.parent), os.environ["PATH"]]),
            "PLUMBLINE_HOME": str(self.folder / "home"),
            "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": str(self.folder),
        }
        command = [sys.executable, "-c", AUDITED, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def write_sweep(self, kind: str) -> None:
        (self.folder / "mine.toml").write_text(SWEEPS[kind].format(python=self.python))

    def has_started_nothing(self, said: str) -> bool:
        return "started:" not in said and not self.started.exists()

    def has_created_nothing(self) -> bool:
        return not (self.folder / "runs").exists() and not (self.folder / "home").exists()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    programs = tmp_path / "bin"
    programs.mkdir()
    python, started = make_witness(programs)
    (programs / "uv").symlink_to(python)
    return Stage(tmp_path, python, started)


@pytest.mark.long
@pytest.mark.parametrize("kind", SWEEPS)
def test_a_plan_starts_nothing_and_says_what_it_does_not_know(stage: Stage, kind: str) -> None:
    stage.write_sweep(kind)
    code, out, err = stage.run("plan", "mine.toml")
    assert (code, NOT_INSPECTED in " ".join(out.split())) == (ExitCode.FINE, True)
    assert stage.has_started_nothing(err)
    code, out, err = stage.run("plan", "mine.toml", "--json")
    assert stage.has_started_nothing(err)
    said: dict[str, Any] = json.loads(out)
    states = {each["name"]: (each["state"], each["interpreter"], each["freeze"]) for each in said["environments"]}
    assert states["mine" if "by" in kind else str(stage.python)] == (None, None, None)
    assert stage.has_created_nothing()


@pytest.mark.parametrize("arguments", [("list",), ("env", "list"), ("env", "list", "--file", "mine.toml")])
def test_what_is_listed_is_not_asked_either(stage: Stage, arguments: tuple[str, ...]) -> None:
    stage.write_sweep("by version")
    (stage.folder / "plumbline").mkdir()
    users = '[environments.torch]\nrequirements = ["torch"]\npython = "{python}"\n'
    (stage.folder / "plumbline" / "environments.toml").write_text(users.format(python=stage.python))
    code, out, err = stage.run(*arguments)
    assert (code, NOT_INSPECTED in " ".join(out.split())) == (ExitCode.FINE, True)
    assert stage.has_started_nothing(err)
    code, out, err = stage.run(*arguments, "--json")
    said = json.loads(out)
    listed = said["environments" if "env" in arguments else "frameworks"]
    assert [each["state"] for each in listed if each["name"] == "torch"] == [None]
    assert stage.has_started_nothing(err)


@pytest.mark.long
def test_the_audit_sees_what_is_started(stage: Stage) -> None:
    code, out, err = stage.run("env", "show", str(stage.python))
    assert (code, f"{OTHER_MINOR}.1" in out) == (ExitCode.FINE, True)
    assert "started: subprocess.Popen" in err
    assert stage.started.exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "double", "sentence"),
    [
        ("external", "", "nothing to run: numpy, pydantic>=2.10, autograd>=1.9 are not installed there; run `"),
        ("external", "exit 1", "{python} does not answer as a Python interpreter; name another one"),
        ("by path", "exit 1", "the environment mine: {python} does not answer as a Python interpreter"),
        (
            "by version",
            "exit 1",
            f"the environment mine asks for Python {OTHER_MINOR}, which neither uv nor the PATH has",
        ),
    ],
)
def test_a_sweep_looks_before_it_creates_anything(stage: Stage, kind: str, double: str, sentence: str) -> None:
    stage.write_sweep(kind)
    if double:
        stage.python.write_text(f"#!/bin/sh\ntouch '{stage.started}'\n{double}\n")
    assert stage.run("plan", "mine.toml")[0] == ExitCode.FINE
    assert not stage.started.exists()
    code, out, err = stage.run("sweep", "mine.toml")
    (last,) = (line for line in err.splitlines() if line.startswith("error: "))
    assert last.startswith(f"error: {sentence.format(python=stage.python)}")
    assert (code, out, stage.started.exists()) == (ExitCode.USAGE, "", True)
    assert stage.has_created_nothing()
