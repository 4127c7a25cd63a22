"""A sweep in a folder of its own that a fault disturbs: its program, its records, and what it has started."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

import psutil

from orchestrator.processes.watchdog import find_marked
from schemas.record import JobRecord, Manifest

T = TypeVar("T")
PROGRAM = [sys.executable, "-m", "orchestrator"]
ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "PLUMBLINE_CAMPAIGN"
PATIENCE_S = 180
SMALL = "4m"
FILLER = "filler"


@dataclass
class DisturbedSweep:
    """One sweep, its fault, and the promises that it broke. All that it starts carries its mark."""

    folder: Path
    fault: str
    moment_s: float
    mark: str = field(default_factory=lambda: uuid.uuid4().hex, kw_only=True)
    hit: bool = field(default=False, kw_only=True)
    broken: list[str] = field(default_factory=list, kw_only=True)

    @property
    def run_folder(self) -> Path | None:
        """The run's folder once it has a manifest: a program that is killed earlier has begun nothing."""
        return next((path.parent for path in self.folder.glob("runs/*/manifest.json")), None)

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables of the program."""
        return {**os.environ, **self.own_variables}

    @property
    def own_variables(self) -> dict[str, str]:
        """The variables that mark what the sweep starts, and by which it finds the program."""
        return {VARIABLE: self.mark, "PYTHONPATH": str(ROOT)}

    def start_program(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start the program in the sweep's folder."""
        with (self.folder / "out").open("ab") as out:
            return subprocess.Popen(
                [*PROGRAM, *arguments],
                cwd=self.folder,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def read_files(self) -> dict[str, bytes]:
        """Return the bytes of all records, by file name."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("runs/*/jobs/*.json"))}

    def read_records(self) -> list[JobRecord]:
        """Read all records."""
        return [JobRecord.model_validate_json(text) for text in self.read_files().values()]

    def is_finished(self) -> bool:
        """Return whether the manifest says that nothing is missing."""
        folder = self.run_folder
        return folder is not None and Manifest.model_validate_json((folder / "manifest.json").read_bytes()).finished

    def find_marked_processes(self) -> list[psutil.Process]:
        """Find the processes with the mark in their environment, which a watchdog lacks."""
        return find_processes_with(VARIABLE, self.mark)

    def find_survivors(self) -> list[int]:
        """Find the processes with the mark that the run's last program gave to what it started."""
        assert self.run_folder is not None
        _, _, mark = (self.run_folder / ".lock").read_text().partition(" ")
        return find_marked(mark) if mark else []

    def list_lost_records(self, before: Mapping[str, bytes]) -> list[str]:
        """List the records that existed before and are gone or have changed."""
        after = self.read_files()
        return [f"record lost: {name}" for name, text in before.items() if after.get(name) != text]


S = TypeVar("S", bound=DisturbedSweep)


def disturb_sweep(sweep: S, started: "subprocess.Popen[bytes]", act: Callable[[S, psutil.Process], bool]) -> bool:
    """Wait for the moment of the fault, and act until it hits; return whether it did before the program ended."""
    hit = False
    while started.poll() is None and not hit:
        with contextlib.suppress(psutil.Error):  # the process it inspects may be ending just now
            hit = act(sweep, psutil.Process(started.pid))
        time.sleep(0.005)
    return hit


def wait_for_moment(sweep: DisturbedSweep, started: "subprocess.Popen[bytes]") -> dict[str, bytes]:
    """Wait until the run has begun and the moment of the fault has come; return the records that exist by then."""
    while started.poll() is None and sweep.run_folder is None:
        time.sleep(0.01)
    until = time.monotonic() + sweep.moment_s
    while started.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    return sweep.read_files()


def wait_until_none(find: Callable[[], list[T]], seconds: float) -> list[T]:
    """Wait until nothing is found, and return what is found after this time at the latest."""
    until = time.monotonic() + seconds
    while (found := find()) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def find_processes_with(variable: str, value: str) -> list[psutil.Process]:
    """Find the processes that have a variable with this value in their environment."""
    wanted, found = f"{variable}={value}".encode(), []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if wanted in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process)
    return found


def signal_program(number: signal.Signals) -> Callable[[DisturbedSweep, psutil.Process], bool]:
    """Make an action that sends a signal to the program."""

    def act(_sweep: DisturbedSweep, program: psutil.Process) -> bool:
        program.send_signal(number)
        return True

    return act


def kill_with_watchdog(_sweep: DisturbedSweep, program: psutil.Process) -> bool:
    """Kill the program and its watchdog at once."""
    for child in program.children():
        if "watchdog" in " ".join(child.cmdline()):
            child.kill()
    program.kill()
    return True


def fill_disk(sweep: DisturbedSweep, _program: psutil.Process) -> bool:
    """Fill the disk of the run to the last byte."""
    with contextlib.suppress(OSError), (sweep.folder / "runs" / FILLER).open("wb", buffering=0) as filler:
        for size in (1 << 16, 1):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(size))
    return True


@contextlib.contextmanager
def mount_small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of a few MiB at a folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "none", folder], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@cache
def can_mount() -> bool:
    """Return whether a small disk can be mounted here."""
    try:
        with tempfile.TemporaryDirectory() as folder, mount_small_disk(Path(folder) / "disk"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
