"""Hostile surroundings: all measurements are kept, and one sentence names the cause."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from orchestrator.cli.exit_codes import ExitCode
from schemas.record import JobRecord, Manifest
from tests.orchestrator.quick import PROGRAM, QUICK

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these are the ways of a Linux system")

ROOT = Path(__file__).resolve().parents[3]
SMALL_DISK = 'mount -t tmpfs -o size="$0" none "$1" && shift && exec "$@"'


def run_program(
    folder: Path, *command: str, variables: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, env=variables, errors="replace"
    )


def read_records(folder: Path) -> list[JobRecord]:
    return [JobRecord.model_validate_json(path.read_bytes()) for path in folder.glob("*/jobs/*.json")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "quick.toml").write_text(QUICK)
    return tmp_path


def on_a_small_disk(folder: Path, size: str, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command with a disk of this size at `disk`, which only root may mount."""
    (folder / "disk").mkdir()
    done = run_program(folder, "unshare", "-m", "sh", "-c", SMALL_DISK, size, "disk", *command)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("no disk of its own can be mounted here")
    return done


@pytest.mark.long
def test_a_full_disk_keeps_what_was_whole_and_says_how_to_go_on(folder: Path) -> None:
    keep = f"{' '.join(PROGRAM)} sweep quick.toml --runs disk --blocks 9; code=$?; cp -r disk kept; exit $code"
    said = on_a_small_disk(folder, "48k", "sh", "-c", keep)
    assert said.returncode == ExitCode.USAGE
    (line,) = said.stderr.splitlines()
    assert "No space left on device; everything before is kept; fix that, and resume with: " in line
    assert [record.outcome for record in read_records(folder / "kept")][:1] == ["measured"]
    (run,) = (folder / "kept").iterdir()
    resumed = run_program(folder, *PROGRAM, "resume", run.name, "--runs", "kept")
    assert resumed.returncode == ExitCode.FINE
    assert "Ended: " in resumed.stdout


@pytest.mark.long
def test_a_disk_without_room_for_a_run_is_a_sentence(folder: Path) -> None:
    said = on_a_small_disk(
        folder, "4k", "sh", "-c", f"cp /dev/zero disk/full 2>&-; {' '.join(PROGRAM)} sweep quick.toml --runs disk"
    )
    assert said.returncode == ExitCode.USAGE
    assert "No space left on device" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.long
def test_a_disk_that_cannot_be_written_is_a_sentence(folder: Path) -> None:
    said = run_program(folder, *PROGRAM, "sweep", "quick.toml", "--runs", "/proc/runs")
    assert said.returncode == ExitCode.USAGE
    assert "cannot write a run to /proc/runs" in said.stderr
    assert len(said.stderr.splitlines()) == 1


@pytest.mark.long
def test_a_terminal_that_is_closed_stops_the_sweep_and_all_that_runs(
    folder: Path, soon: Callable[[Callable[[], bool]], bool]
) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(PROGRAM[0], [*PROGRAM, "sweep", "quick.toml", "--blocks", "32"], dict(os.environ) | {"TERM": "xterm"})
    assert soon(lambda: os.read(terminal, 1 << 16) != b"" and any(folder.glob("runs/*/jobs/*.json")))
    family = psutil.Process(pid).children(recursive=True)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.WIFEXITED(status)
    (path,) = folder.glob("runs/*/manifest.json")
    manifest = Manifest.model_validate_json(path.read_bytes())
    assert manifest.stopped == f"stopped by {signal.SIGHUP.name}"
    assert not manifest.finished
    assert family
    assert not any(process.is_running() for process in family)


@pytest.mark.long
def test_a_reader_that_stops_reading_does_not_stop_the_sweep(folder: Path) -> None:
    said = run_program(folder, "sh", "-c", f"{' '.join(PROGRAM)} sweep quick.toml | head -n 1")
    # Before the first job, a line may say how busy the machine is.
    assert said.stdout.startswith(("[1 of about 2]", "warning: "))
    assert "Traceback" not in said.stderr
    (path,) = folder.glob("runs/*/manifest.json")
    assert Manifest.model_validate_json(path.read_bytes()).finished


@pytest.mark.long
def test_a_terminal_of_another_encoding_is_shown_what_it_can_show(folder: Path) -> None:
    bare = {"PYTHONPATH": str(ROOT), "PATH": os.defpath}  # and no HOME, no USER, no TERM
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    said = run_program(folder, *PROGRAM, "sweep", "quick.toml", variables=bare | ascii_only)
    assert (said.returncode, said.stderr) == (ExitCode.FINE, "")
    assert "numpy:eager" in said.stdout
    for variables in ({"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"LANG": "xx_YY.nonsense"}):
        shown = run_program(folder, *PROGRAM, "show", variables=bare | variables)
        assert (shown.returncode, shown.stderr) == (ExitCode.FINE, "")
        assert "numpy:eager" in shown.stdout


@pytest.mark.long
def test_paths_with_spaces_quotes_and_letters_beyond_ascii_work(tmp_path: Path) -> None:
    home = tmp_path / "a b 'ü' 日本"
    for package in ("orchestrator", "schemas", "workers"):
        shutil.copytree(ROOT / package, home / package, ignore=shutil.ignore_patterns("__pycache__"))
    (home / "quick.toml").write_text(QUICK)
    variables = dict(os.environ) | {"PYTHONPATH": str(home)}
    said = run_program(home, *PROGRAM, "sweep", "quick.toml", "--runs", "mes résultats", variables=variables)
    assert (said.returncode, said.stderr) == (ExitCode.FINE, "")
    assert [record.outcome for record in read_records(home / "mes résultats")] == ["measured"] * 2


@pytest.mark.long
def test_a_clock_that_is_set_back_between_jobs_changes_no_order_and_no_duration(folder: Path) -> None:
    run_program(folder, *PROGRAM, "sweep", "quick.toml", "--blocks", "2", "--name", "mine", "--no-report")
    (run,) = (folder / "runs").iterdir()
    before = json.loads(run_program(folder, *PROGRAM, "show", "mine", "--json").stdout)
    for number, path in enumerate(sorted(run.glob("jobs/*.json"))):
        said = json.loads(path.read_text())
        said["outside"]["started"] = f"19{70 - number}-01-01T00:00:00+00:00"
        path.write_text(json.dumps(said))
        os.utime(path, (number, 1_000_000 - number))
    assert json.loads(run_program(folder, *PROGRAM, "show", "mine", "--json").stdout) == before


def test_no_duration_is_read_from_a_clock_that_can_be_set() -> None:
    for path in [*ROOT.glob("orchestrator/**/*.py"), *ROOT.glob("workers/**/*.py")]:
        assert "time.time(" not in path.read_text(), path
