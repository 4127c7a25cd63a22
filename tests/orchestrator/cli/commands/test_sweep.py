"""A sweep that a signal hits at any moment of its start."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.records.store import Store
from schemas.record import JobRecord
from tests.orchestrator.conftest import Said
from tests.orchestrator.quick import PROGRAM, QUICK
from tests.selection import mark_long

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


@pytest.mark.parametrize("number", mark_long([signal.SIGINT, signal.SIGTERM], quick=[signal.SIGINT]))
def test_a_signal_at_any_moment_leaves_no_folder_or_one_that_says_so(tmp_path: Path, number: signal.Signals) -> None:
    for turn, moment_s in enumerate(MOMENTS_S):
        sweep = Sweep(tmp_path / str(turn))
        check_end(sweep, number, *sweep.hit(number, moment_s))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", mark_long([signal.SIGINT, signal.SIGTERM], quick=[signal.SIGINT]))
def test_a_signal_while_the_run_is_begun_leaves_a_folder_that_says_so(
    tmp_path: Path, inside: Inside, number: signal.Signals, place: str
) -> None:
    sweep = Sweep(tmp_path)
    assert check_end(sweep, number, *sweep.hit(number, place=place)) == 1
    assert inside("show", "latest").code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_self_test_begins_leaves_a_folder_that_says_so(tmp_path: Path, number: signal.Signals) -> None:
    test = Sweep(tmp_path, "selftest")
    assert check_end(test, number, *test.hit(number, place="*")) == 1


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
