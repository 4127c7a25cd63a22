"""Completion as a shell asks for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.app import COMPLETION_VARIABLE
from orchestrator.cli.completion import complete_list, complete_nothing_on_error
from orchestrator.records.store import Store
from schemas.record import JobRecord
from schemas.workloads import SUITES, WORKLOADS
from tests.orchestrator.conftest import Said

Complete = Callable[..., list[str]]
BASH = shutil.which("bash") or ""


@pytest.fixture
def complete(inside: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> Complete:
    """Return the completions of the last of these words."""

    def ask(*words: str) -> list[str]:
        monkeypatch.setenv(COMPLETION_VARIABLE, "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(["plumbline", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        said = inside()
        assert (said.code, said.err) == (0, "")
        return said.out.split()

    return ask


@pytest.fixture
def runs(make_run: Callable[..., Store], make_records: Callable[..., list[JobRecord]]) -> list[str]:
    """Make three runs, one of them with a name that a shell would obey, and return the names of the others."""
    first, second, hostile = (make_run(name, make_records([]), at) for at, name in enumerate(("one", "two", "three")))
    hostile.folder.rename(hostile.folder.with_name("$(touch hostile)"))
    return [first.name, second.name]


def test_commands_and_options_are_completed(complete: Complete) -> None:
    assert complete("sh") == ["show"]
    assert "--frameworks" in complete("sweep", "--f")


@pytest.mark.parametrize("words", [("show",), ("resume",), ("report",), ("export",), ("compare",), ("compare", "one")])
def test_runs_are_completed_where_a_run_is_named(complete: Complete, runs: list[str], words: tuple[str, ...]) -> None:
    assert complete(*words, "") == ["latest", *runs]
    assert complete(*words, runs[1][:-1]) == [runs[1]]


def test_runs_are_those_of_the_folder_that_was_named(complete: Complete, runs: list[str], tmp_path: Path) -> None:
    (tmp_path / "runs").rename(tmp_path / "others")
    assert complete("show", "") == ["latest"]
    assert complete("show", "--runs", "others", "") == ["latest", *runs]


def test_the_last_of_several_frameworks_is_completed_with_its_modes(complete: Complete) -> None:
    assert complete("sweep", "--frameworks", "numpy:eager,nump") == ["numpy:eager,numpy"]
    assert {"jax", "jax:eager", "jax:jit"} <= set(complete("plan", "--frameworks", "ja"))
    assert complete("plan", "--baseline", "numpy") == ["numpy", "numpy:eager"]


def test_workloads_are_completed_with_their_presets(complete: Complete) -> None:
    assert complete("sweep", "--workloads", "rnn_cell,matm") == [
        "rnn_cell,matmul",
        "rnn_cell,matmul:cache",
        "rnn_cell,matmul:memory",
    ]
    assert {workload.name for workload in WORKLOADS} <= set(complete("sweep", "--workloads", ""))


def test_suites_and_formats_are_completed(complete: Complete) -> None:
    assert complete("sweep", "--suite", "") == [suite.name for suite in SUITES]
    assert complete("export", "--format", "pa") == ["parquet"]


def test_a_name_that_was_chosen_is_not_offered_again() -> None:
    assert complete_list("a,b,", ["a", "b", "c"]) == ["a,b,c"]


def test_a_completer_that_fails_completes_nothing(complete: Complete) -> None:
    assert complete_nothing_on_error(lambda: [str(1 // 0)])() == []
    assert complete("show", "--runs", "x" * 5000, "") == []


def test_completing_runs_does_not_wait_for_numpy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "orchestrator"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, COMPLETION_VARIABLE: "complete_bash", "COMP_WORDS": "plumbline show", "COMP_CWORD": "2"},
    )
    assert done.stdout == "latest\n"
    assert "orchestrator.records.store" in done.stderr
    assert "numpy" not in done.stderr


def test_help_names_the_options_that_install_completion(inside: Callable[..., Said]) -> None:
    for option in ("-h", "--help"):
        said = inside(option)
        assert {"--install-completion", "--show-completion"} <= set(said.out.split())


@pytest.mark.skipif(not BASH, reason="there is no bash")
def test_bash_completes_the_command_after_its_completion_was_installed(tmp_path: Path, runs: list[str]) -> None:
    program = tmp_path / "plumbline"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m orchestrator "$@"\n')
    program.chmod(0o755)
    script = """
        "$PYTHON" -m orchestrator --install-completion >&2
        source .bashrc
        COMP_WORDS=(plumbline show lat) COMP_CWORD=2
        _plumbline_completion plumbline
        echo "${COMPREPLY[@]}"
        COMP_WORDS=(plumbline sweep --frameworks nump) COMP_CWORD=3
        _plumbline_completion plumbline
        echo "${COMPREPLY[@]}"
        complete -p plumbline
    """
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(tmp_path), "PYTHON": sys.executable}
    done = subprocess.run(
        [BASH, "--norc", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    runs_found, frameworks_found, registered = done.stdout.splitlines()
    assert runs_found == "latest"
    assert frameworks_found == "numpy numpy:eager"
    assert registered == "complete -o default -F _plumbline_completion plumbline"
