"""Random faults at random moments of real sweeps; the promises that have to hold after each.

`python -m tests.faults.campaign --trials 200` prints a line for each trial and a JSON summary, and exits with 1 if a
promise was broken.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from orchestrator.watchdog import marked
from schemas.record import JobRecord, Manifest

PROGRAM = [sys.executable, "-m", "orchestrator"]
VARIABLE = "PLUMBLINE_CAMPAIGN"
SWEEP = """\
deadline = "{deadline_s}s"

[axes]
frameworks = ["{framework}"]
environment = ["current"]
workloads = ["{workload}"]

[limits]
memory = "{memory}"

[timing]
samples = 5
sample_ns = 1000000
warmup_min_ns = 1000000

[stop]
blocks = 2
"""
START_S = {"numpy": 1.0, "torch": 3.0, "tensorflow": 6.0, "synthetic": 1.0}
"""What a job takes, roughly: moments are drawn from the time of four."""
PATIENCE_S = 180
REPORTED = ("measured", "nonlinear", "overhead-dominated")
"""Outcomes of a job that came to its report; on a busy machine not every one is a good measurement."""
MOST_RESUMES = 3


@dataclass
class Trial:
    """One sweep, what is done to it, and what was found wrong afterwards."""

    folder: Path
    fault: str
    framework: str
    moment_s: float
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    hit: bool = False
    broken: list[str] = field(default_factory=list)

    @property
    def run(self) -> Path | None:
        """The run's folder, once it says what it is: an orchestrator that is killed before has begun nothing."""
        return next((path.parent for path in self.folder.glob("runs/*/manifest.json")), None)

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start the program here; it and all its workers carry a mark."""
        with (self.folder / "out").open("ab") as out:
            return subprocess.Popen(
                [*PROGRAM, *arguments], cwd=self.folder, stdout=out, stderr=out, start_new_session=True,
                env=dict(os.environ) | {VARIABLE: self.mark},
            )  # fmt: skip

    def records(self) -> list[JobRecord]:
        """All records that can be read."""
        return [JobRecord.model_validate_json(text) for text in self.files().values()]

    def files(self) -> dict[str, bytes]:
        """All records as they lie there."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("runs/*/jobs/*.json"))}

    def finished(self) -> bool:
        """Whether the run says that nothing is missing."""
        return self.run is not None and Manifest.model_validate_json((self.run / "manifest.json").read_bytes()).finished


@dataclass(frozen=True)
class Fault:
    """What is done at the moment, and how a job that it hits may end."""

    act: Callable[[Trial, psutil.Process], bool]
    causes: Mapping[str, str]
    """Outcomes with what their reason has to say."""


def worker(number: signal.Signals) -> Callable[[Trial, psutil.Process], bool]:
    """A signal to the worker that runs now, if one does."""

    def act(_trial: Trial, program: psutil.Process) -> bool:
        for child in program.children():
            if "workers" in " ".join(child.cmdline()):
                child.send_signal(number)
                return True
        return False

    return act


def orchestrator(number: signal.Signals) -> Callable[[Trial, psutil.Process], bool]:
    """A signal to the orchestrator."""

    def act(_trial: Trial, program: psutil.Process) -> bool:
        program.send_signal(number)
        return True

    return act


def with_its_watchdog(_trial: Trial, program: psutil.Process) -> bool:
    """The orchestrator and its watchdog killed at once."""
    for child in program.children():
        if "watchdog" in " ".join(child.cmdline()):
            child.kill()
    program.kill()
    return True


def power(trial: Trial, program: psutil.Process) -> bool:
    """Killed, and the newest record is left half written."""
    program.kill()
    program.wait()
    newest = max(trial.folder.glob("runs/*/jobs/*.json"), key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is not None:
        newest.write_bytes(newest.read_bytes()[:500])
        newest.with_name(f".{newest.name}.part").write_bytes(b"{")
    return True


def nothing(_trial: Trial, _program: psutil.Process) -> bool:
    """The worker does it itself."""
    return True


LOST = {"orchestrator-lost": "before it could write down"}
STOPPED = {"interrupted": "was stopped by SIG"}
FAULTS: dict[str, Fault] = {
    "worker SIGKILL": Fault(worker(signal.SIGKILL), {"killed": "SIGKILL ended it"}),
    "worker SIGSEGV": Fault(worker(signal.SIGSEGV), {"killed": "SIGSEGV ended it"}),
    "worker SIGTERM": Fault(worker(signal.SIGTERM), {"killed": "SIGTERM ended it"}),
    "worker SIGSTOP": Fault(worker(signal.SIGSTOP), {"timeout": "since something had stopped it"}),
    "orchestrator SIGKILL": Fault(orchestrator(signal.SIGKILL), LOST),
    "orchestrator SIGINT": Fault(orchestrator(signal.SIGINT), STOPPED),
    "orchestrator SIGTERM": Fault(orchestrator(signal.SIGTERM), STOPPED),
    "orchestrator SIGHUP": Fault(orchestrator(signal.SIGHUP), STOPPED),
    "orchestrator and watchdog SIGKILL": Fault(with_its_watchdog, LOST),
    "power": Fault(power, LOST),
}
OWN: dict[str, Fault] = {
    "synthetic:stuck": Fault(nothing, {"timeout": "during first call"}),
    "synthetic:greedy": Fault(nothing, {"out-of-memory": "MemoryError"}),
    "synthetic:flood": Fault(nothing, {"measured": ""}),
    "synthetic:crash": Fault(nothing, {"killed": "SIGSEGV ended it during first call"}),
}
"""Faults that a mode of the instrument brings about itself."""


def trial(folder: Path, fault: str, framework: str, moment_s: float) -> Trial:
    """Run one trial, and write down which promises were broken."""
    made = Trial(folder, fault, framework, moment_s)
    name = framework.partition(":")[0]
    workload = "rnn_cell" if name in ("torch", "tensorflow") else "synthetic"
    deadline_s = 6 if fault in ("synthetic:stuck", "worker SIGSTOP") and name in ("synthetic", "numpy") else 30
    memory = "1GiB" if fault == "synthetic:greedy" else "16GiB"
    (folder / "sweep.toml").write_text(
        SWEEP.format(framework=framework, workload=workload, deadline_s=deadline_s, memory=memory)
    )
    before = disturbed(made)
    for _ in range(MOST_RESUMES):
        if made.finished():
            break
        made.start("resume", "latest").wait(PATIENCE_S)
    made.broken += [*promises(made, before)]
    return made


def disturbed(made: Trial) -> dict[str, bytes]:
    """Run the sweep, and do what is to be done to it: the records that were there at that moment."""
    started = made.start("sweep", "sweep.toml")
    program = psutil.Process(started.pid)
    while started.poll() is None and made.run is None:
        time.sleep(0.01)
    until = time.monotonic() + made.moment_s
    while started.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    before = made.files()
    act = (FAULTS | OWN)[made.fault].act
    while started.poll() is None and not made.hit:
        made.hit = act(made, program)
        time.sleep(0.005)
    started.wait(PATIENCE_S)
    time.sleep(0.5)
    made.broken += [f"left running: {pid}" for pid in left(made)]
    if made.fault == "power" and before:
        before = {name: text for name, text in before.items() if made.files().get(name) == text}
    return before


def left(made: Trial) -> list[int]:
    """Processes of the trial that are still there; its watchdog included, which carries no mark.

    After both were killed at once that is nobody's fault but the next command's, which ends them.
    """
    wanted = f"{VARIABLE}={made.mark}".encode()
    found = []
    for process in psutil.process_iter():
        try:
            if wanted in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process.pid)
        except OSError:
            continue
    return found


def promises(made: Trial, before: Mapping[str, bytes]) -> Iterator[str]:
    """What was promised and is not so."""
    after = made.files()
    if not made.finished():
        yield "it could not be resumed to its end"
    yield from (f"record lost: {name}" for name, text in before.items() if after.get(name) != text)
    yield from (f"left running at the end: {pid}" for pid in [*left(made), *survivors(made)])
    causes = (FAULTS | OWN)[made.fault].causes
    for record in made.records():
        known = record.outcome in REPORTED or (record.outcome in causes and causes[record.outcome] in record.reason)
        if not known:
            yield f"wrong cause: {record.outcome}: {record.reason}"
    if made.fault not in OWN:
        counted = Counter(record.spec.cell.id for record in made.records() if record.outcome in REPORTED)
        if len(counted) != 2 or min(counted.values()) < (1 if "SEGV" in made.fault or "STOP" in made.fault else 2):
            yield f"cells at the end: {dict(counted)}"


def survivors(made: Trial) -> list[int]:
    """Processes that carry the mark of the run's last orchestrator."""
    assert made.run is not None
    _, _, mark = (made.run / ".lock").read_text().partition(" ")
    return marked(mark) if mark else []


def campaign(trials: int, seed: int, frameworks: list[str]) -> list[Trial]:
    """Run so many trials, each with a fault, a framework and a moment of its own."""
    rng, made = random.Random(seed), []
    for number in range(1, trials + 1):
        fault = rng.choice([*FAULTS, *OWN])
        framework = fault if fault in OWN else rng.choice(frameworks)
        jobs_s = 4 * START_S[framework.partition(":")[0]]
        with tempfile.TemporaryDirectory() as folder:
            done = trial(Path(folder), fault, framework, rng.uniform(0.0, jobs_s))
        print(f"{number}: {fault} on {framework} after {done.moment_s:.2f} s: {done.broken or 'kept'}", flush=True)
        made.append(done)
    return made


def main() -> None:
    """The long form."""
    options = argparse.ArgumentParser()
    options.add_argument("--trials", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--frameworks", default="numpy,numpy,numpy,torch:eager,torch:trace,tensorflow:function")
    given = options.parse_args()
    made = campaign(given.trials, given.seed, given.frameworks.split(","))
    said = {
        "trials": len(made),
        "faults that hit": sum(each.hit for each in made),
        "by fault": Counter(each.fault for each in made),
        "by framework": Counter(each.framework for each in made),
        "promises broken": [f"{each.fault} on {each.framework}: {what}" for each in made for what in each.broken],
    }
    print(json.dumps(said, indent=1))
    sys.exit(bool(said["promises broken"]))


if __name__ == "__main__":
    main()
