"""A sweep that a signal hits at any moment of its start."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.machine.affinity import list_cores
from orchestrator.records.store import Store
from schemas.record import JobRecord
from tests.orchestrator.conftest import Said
from tests.orchestrator.machine.test_core_locks import hold_elsewhere
from tests.orchestrator.quick import PROGRAM, QUICK

ROOT = Path(__file__).resolve().parents[4]
LONG = QUICK.replace("blocks = 1", "blocks = 32")
MOMENTS_S = [moment * 0.125 for moment in range(13)]
# Files that appear in this order under the folder for runs; a run's folder must never be seen without its manifest for
# long, so the moments between them are tried as well.
PLACES = ("*", "*/jobs", "*/.lock", "*/manifest.json", "*/jobs/*.stderr.log")
Inside = Callable[..., Said]


class Sweep:
    """A long sweep in a folder, or another command that makes a run, with a folder for its temporary files."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.folder, self.temporary = folder, folder / "temporary"
        self.command = command or ("sweep", "long.toml", "--no-report")
        self.temporary.mkdir(parents=True)
        (folder / "long.toml").write_text(LONG)

    def hit(self, number: signal.Signals, moment_s: float = 0.0, place: str = "") -> tuple[int, str]:
        """Start it, send it a signal at a moment after a file has appeared, and return its exit code and errors."""
        variables = os.environ | {"TMPDIR": str(self.temporary), "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            [*PROGRAM, *self.command],
            cwd=self.folder,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as program:
            while place and not any(self.folder.glob(f"runs/{place}")):
                assert program.poll() is None
            time.sleep(moment_s)
            program.send_signal(number)
            _, err = program.communicate(timeout=60)
        return program.returncode, err

    def list_manifests(self) -> Iterator[dict[str, object]]:
        """Yield the manifest of each run's folder; a folder without one is a failure."""
        for run in self.folder.glob("runs/*"):
            yield json.loads((run / "manifest.json").read_text())


def check_end(sweep: Sweep, number: signal.Signals, code: int, err: str) -> int:
    """Check what a signal has left, and return how many runs that are."""
    manifests = list(sweep.list_manifests())
    if manifests:
        assert [(each["stopped"], each["finished"]) for each in manifests] == [(f"stopped by {number.name}", False)]
        assert (code, err) == (ExitCode.INTERRUPTED, "")
    elif code != ExitCode.INTERRUPTED:
        # Python itself was starting, or nothing had been begun that a SIGTERM must not end at once.
        assert str(ROOT / "orchestrator") not in err
        assert code in (-number, 1 if err else -number)
    assert list(sweep.temporary.iterdir()) == []
    return len(manifests)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.long
def test_a_signal_at_any_moment_leaves_no_folder_or_one_that_says_so(tmp_path: Path, number: signal.Signals) -> None:
    for turn, moment_s in enumerate(MOMENTS_S):
        sweep = Sweep(tmp_path / str(turn))
        check_end(sweep, number, *sweep.hit(number, moment_s))


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_run_is_begun_leaves_a_folder_that_says_so(
    tmp_path: Path, inside: Inside, number: signal.Signals, place: str
) -> None:
    sweep = Sweep(tmp_path)
    assert check_end(sweep, number, *sweep.hit(number, place=place)) == 1
    assert inside("show", "latest").code == 0


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_self_test_begins_leaves_a_folder_that_says_so(tmp_path: Path, number: signal.Signals) -> None:
    test = Sweep(tmp_path, "selftest")
    assert check_end(test, number, *test.hit(number, place="*")) == 1


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_a_kill_while_the_run_is_begun_confuses_no_later_command(
    tmp_path: Path,
    inside: Inside,
    soon: Callable[[Callable[[], bool]], bool],
    make_run: Callable[..., Store],
    make_record: Callable[..., JobRecord],
    place: str,
) -> None:
    sweep = Sweep(tmp_path)
    code, err = sweep.hit(signal.SIGKILL, place=place)
    assert (code, err) == (-signal.SIGKILL, "")
    assert soon(lambda: list(sweep.temporary.iterdir()) == [])
    begun = any(tmp_path.glob("runs/*/manifest.json"))
    assert begun or place != PLACES[-1]
    if not begun:
        assert "there are no runs in runs" in inside("show", "latest").err
        assert "there are no runs in runs" in inside("resume", "latest").err
        make_run("earlier", [make_record()])
    assert inside("list", "--json").code == 0
    assert inside("show", "latest").code == 0


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "locks"
    folder.mkdir()
    monkeypatch.setenv("PLUMBLINE_LOCKS", str(folder))
    return folder


def run_quick(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    (folder / "quick.toml").write_text(QUICK)
    command = [*PROGRAM, "sweep", "quick.toml", "--no-report", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.long
def test_a_sweep_whose_cores_are_taken_says_by_whom_and_creates_nothing(tmp_path: Path, locks: Path) -> None:
    with hold_elsewhere(locks, *list_cores()) as holder:
        said = run_quick(tmp_path)
    assert said.returncode == ExitCode.USAGE
    assert said.stdout == ""
    (line,) = said.stderr.splitlines()
    assert f"process {holder.pid} of " in line
    assert line.endswith("wait for them with --wait")
    assert not (tmp_path / "runs").exists()


@pytest.mark.long
def test_a_sweep_that_waits_says_so_and_runs_when_the_other_has_ended(tmp_path: Path, locks: Path) -> None:
    (tmp_path / "quick.toml").write_text(QUICK)
    command = [*PROGRAM, "sweep", "quick.toml", "--no-report", "--wait"]
    with (
        hold_elsewhere(locks, *list_cores()) as holder,
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as program,
    ):
        assert program.stdout is not None
        assert program.stdout.readline().startswith(f"Waiting for free cores: process {holder.pid} of ")
        assert not (tmp_path / "runs").exists()
        holder.kill()
        out, _ = program.communicate(timeout=120)
    assert program.returncode == 0
    assert "Waiting" not in out


@pytest.mark.long
def test_ctrl_c_ends_a_sweep_that_waits_and_leaves_nothing(tmp_path: Path, locks: Path) -> None:
    (tmp_path / "quick.toml").write_text(QUICK)
    command = [*PROGRAM, "sweep", "quick.toml", "--wait"]
    with (
        hold_elsewhere(locks, *list_cores()),
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program,
    ):
        assert program.stdout is not None
        assert program.stdout.readline().startswith("Waiting")
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
    assert (program.returncode, err) == (ExitCode.INTERRUPTED, "")
    assert not (tmp_path / "runs").exists()


@pytest.mark.long
@pytest.mark.skipif(len(list_cores()) < 2, reason="there is only one core")
def test_a_sweep_takes_a_core_that_no_other_measures_on_and_its_manifest_names_it(tmp_path: Path, locks: Path) -> None:
    cores = list_cores()
    with hold_elsewhere(locks, *cores[1:]):
        said = run_quick(tmp_path)
    assert said.returncode == 0
    assert "measures on" not in said.stdout
    (manifest,) = tmp_path.glob("runs/*/manifest.json")
    assert json.loads(manifest.read_text())["cores"] == [cores[0]]
    (job, *_) = tmp_path.glob("runs/*/jobs/*.json")
    assert json.loads(job.read_text())["spec"]["cpus"] == [cores[0]]


@pytest.mark.long
def test_two_sweeps_at_once_never_measure_on_one_core(tmp_path: Path, locks: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
        (folder / "quick.toml").write_text(QUICK)
    command = [*PROGRAM, "sweep", "quick.toml", "--no-report", "--wait"]
    programs = [subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) for folder in folders]
    assert [program.wait(timeout=240) for program in programs] == [0, 0]
    spans = []
    for folder in folders:
        for path in folder.glob("runs/*/jobs/*.json"):
            record = JobRecord.model_validate_json(path.read_bytes())
            assert record.outside is not None
            began = datetime.fromisoformat(record.outside.started).timestamp()
            spans.append((folder, set(record.spec.cpus), began, began + record.outside.spawn_to_end_ns / 1e9))
    for one, cores, began, ended in spans:
        for other, others, start, end in spans:
            assert one == other or not cores & others or ended <= start + 0.01 or end <= began + 0.01


@pytest.mark.long
def test_a_busy_machine_is_told_in_one_line_at_the_start(tmp_path: Path, locks: Path) -> None:
    hogs = [subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"]) for _ in list_cores()]
    try:
        said = run_quick(tmp_path)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    first, second, *_ = said.stdout.splitlines()
    assert first.startswith("warning: Other processes use ")
    assert not second.startswith("warning: ")


# Attention of two heads, and one line that puts them together.
HEADS = """
import numpy as np

def attend(x):
    heads = np.stack([np.tanh(x) @ x.T @ x, x])
    return np.concatenate(heads, -1)

def inputs(batch=3):
    return np.random.standard_normal((batch, 4))
"""


@pytest.mark.long
def test_a_mutant_beside_its_original_is_wrong_by_the_command_line(tmp_path: Path, locks: Path) -> None:
    tmp_path.joinpath("right.py").write_text(HEADS)
    tmp_path.joinpath("swapped.py").write_text(HEADS.replace("(heads, -1)", "(heads[::-1], -1)"))
    words = ("--model", "right.py", "--model", "swapped.py", "--frameworks", "numpy:eager", "--env", "current")
    done = subprocess.run(
        [*PROGRAM, "sweep", *words, "--batch", "3", "--blocks", "1", "--no-report"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.SOME_JOBS_FAILED, done.stdout + done.stderr
    sentence = (
        "swapped computes something else than the first model, from the same weights and inputs: its output is off"
    )
    assert sentence in " ".join(done.stdout.split()), done.stdout
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/jobs/*.json")]
    assert {(each["spec"]["cell"]["variant"], each["outcome"]) for each in records} >= {("right", "measured")}
    assert not any(each["outcome"] == "measured" for each in records if each["spec"]["cell"]["variant"] == "swapped")
