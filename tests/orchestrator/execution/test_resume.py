"""Sweeps that are cut off in several ways and resumed."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from orchestrator.api import load
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.machine.affinity import list_cores
from tests.orchestrator.machine.test_core_locks import hold_elsewhere
from tests.orchestrator.quick import PROGRAM, QUICK

TWO_BLOCKS = QUICK.replace("blocks = 1", "blocks = 2")
LONG = QUICK.replace("blocks = 1", "blocks = 32")


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def start_sweep(folder: Path, jobs: int, spec: str = TWO_BLOCKS) -> Iterator["subprocess.Popen[str]"]:
    """Start a sweep, and wait until this many of its jobs have ended."""
    (folder / "quick.toml").write_text(spec)
    command = [*PROGRAM, "sweep", "quick.toml", "--name", "mine"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        ended = 0
        while ended < jobs:
            line = program.stdout.readline()
            assert line.startswith(("[", "warning: "))  # the machine may be busy
            ended += line.startswith("[")
        yield program


def count_jobs(folder: Path) -> dict[str, int]:
    """Count the measured jobs of each cell."""
    return {result.cell.id: result.jobs for result in load("mine", folder / "runs").cells}


def read_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("runs/*/jobs/*.json")}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folder of a sweep that was killed in its second block."""
    folder = tmp_path_factory.mktemp("killed")
    with start_sweep(folder, 3) as program:
        program.kill()
    return folder


@pytest.fixture
def cut_off(killed: Path, tmp_path: Path) -> Path:
    """Copy the killed sweep, to resume it."""
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGHUP])
def test_a_sweep_goes_on_after_a_signal_and_ends_as_if_there_had_been_none(
    tmp_path: Path, number: signal.Signals
) -> None:
    with start_sweep(tmp_path, 3) as program:
        family = psutil.Process(program.pid).children(recursive=True)
        program.send_signal(number)
        program.communicate()
    kept = {name: text for name, text in read_files(tmp_path).items() if b'"interrupted"' not in text}
    said = run(tmp_path, "resume", "mine")
    assert "Ended: all 2 blocks were run." in said.stdout
    assert list(count_jobs(tmp_path).values()) == [2, 2]
    assert kept.items() <= read_files(tmp_path).items()
    assert psutil.wait_procs(family, timeout=10)[1] == []  # an orphan stays a zombie until its reaper finds time


@pytest.mark.long
def test_a_run_that_is_whole_has_nothing_missing(cut_off: Path) -> None:
    run(cut_off, "resume", "mine")
    before = read_files(cut_off)
    said = run(cut_off, "resume", "mine")
    assert "Nothing is missing from this run." in said.stdout
    assert read_files(cut_off) == before


@pytest.mark.long
def test_half_a_record_is_set_aside_and_measured_again(cut_off: Path) -> None:
    first = min(path for path in cut_off.glob("runs/*/jobs/001-*.json"))
    first.write_bytes(first.read_bytes()[:1000])
    part = first.with_name(f".{first.name}.00000000.part")
    part.write_bytes(b"{")
    shown = run(cut_off, "show", "mine")
    assert shown.returncode == ExitCode.FINE
    assert f"Skipped 1 record: {first.name} " in shown.stderr
    said = run(cut_off, "resume", "mine")
    assert f"warning: {first.name} was damaged and is set aside" in said.stdout
    assert first.with_suffix(".damaged").stat().st_size == 1000
    assert not part.exists()
    assert list(count_jobs(cut_off).values()) == [2, 2]


@pytest.mark.long
def test_a_record_of_a_newer_version_stays_as_it_is_and_the_run_is_not_resumed(cut_off: Path) -> None:
    damaged, newer, *_ = sorted(cut_off.glob("runs/*/jobs/001-*.json"))
    damaged.write_bytes(b"")
    newer.write_text(json.dumps(json.loads(newer.read_text()) | {"schema_version": 99, "new": 1}))
    before = read_files(cut_off)
    said = run(cut_off, "resume", "mine", "--force")
    assert (said.returncode, said.stdout) == (ExitCode.USAGE, "")
    assert f"{newer.name} is not a file of this version" in said.stderr
    assert "use the Plumbline that wrote it" in said.stderr
    assert read_files(cut_off) == before


@pytest.mark.long
def test_a_second_orchestrator_is_refused_with_the_process_of_the_first(tmp_path: Path) -> None:
    with start_sweep(tmp_path, 1, LONG) as program:
        said = run(tmp_path, "resume", "mine")
        program.terminate()
        program.communicate()
    assert said.returncode == ExitCode.USAGE
    assert f"is being written by process {program.pid}; wait for it" in said.stderr


@pytest.mark.long
def test_numbers_of_another_machine_are_not_mixed_unless_forced_and_then_marked(cut_off: Path) -> None:
    (path,) = cut_off.glob("runs/*/manifest.json")
    said = json.loads(path.read_text())
    here = said["environments"]["current"]
    here["packages"]["numpy"], here["freeze"] = "1.0", "another"
    path.write_text(json.dumps(said))
    refused = run(cut_off, "resume", "mine")
    assert refused.returncode == ExitCode.USAGE
    assert "cannot be resumed as it was begun: environment current (freeze another is now " in refused.stderr
    forced = run(cut_off, "resume", "mine", "--force")
    assert "MIXED: synthetic backward" in forced.stdout
    document = json.loads(run(cut_off, "show", "mine", "--json").stdout)
    assert ": numpy 1.0 is now " in document["manifest"]["mixed"][0]
    assert all(group["title"].startswith("MIXED: ") for group in document["groups"])
    hosts = {json.loads(text)["host"]["packages"]["numpy"] for text in read_files(cut_off).values()}
    assert "1.0" not in hosts


def test_cells_that_the_sweep_does_not_come_to_are_refused_even_by_force(cut_off: Path) -> None:
    (path,) = cut_off.glob("runs/*/manifest.json")
    said = json.loads(path.read_text())
    said["cells"][0]["batch"] = 7
    path.write_text(json.dumps(said))
    assert "its sweep now yields other cells" in run(cut_off, "resume", "--force").stderr


def read_cores(folder: Path) -> list[int]:
    (path,) = folder.glob("runs/*/manifest.json")
    cores: list[int] = json.loads(path.read_text())["cores"]
    return cores


def list_job_cores(folder: Path) -> set[tuple[int, ...]]:
    return {tuple(json.loads(text)["spec"]["cpus"]) for text in read_files(folder).values()}


@pytest.mark.long
def test_a_resumed_run_keeps_its_core_if_that_is_free(cut_off: Path) -> None:
    before = read_cores(cut_off)
    said = run(cut_off, "resume", "mine")
    assert "continues on" not in said.stdout
    assert read_cores(cut_off) == before
    assert list_job_cores(cut_off) == {tuple(before)}


@pytest.mark.long
@pytest.mark.skipif(len(list_cores()) < 2, reason="there is only one core")
def test_a_resumed_run_whose_core_is_taken_says_that_it_continues_on_another(
    cut_off: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = tmp_path / "locks"
    locks.mkdir()
    monkeypatch.setenv("PLUMBLINE_LOCKS", str(locks))
    (before,) = read_cores(cut_off)
    with hold_elsewhere(locks, before):
        said = run(cut_off, "resume", "mine")
    (after,) = read_cores(cut_off)
    assert after != before
    assert f"The run continues on core {after} instead of core {before}." in said.stdout
    assert list_job_cores(cut_off) == {(before,), (after,)}
