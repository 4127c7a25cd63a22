"""Random faults at random moments of real sweeps, with the promises that must hold after each.

`python -m tests.faults.campaign --mix numpy=90,torch:eager=35,synthetic=50` prints a line for each trial and a JSON
summary, and exits with 1 if a promise was broken.
"""

import argparse
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

from orchestrator.execution.event_stream import MAX_LINE_BYTES
from orchestrator.processes.cgroup import CONTROLLERS, CgroupManager
from orchestrator.processes.watchdog import CGROUP_ROOT, NAME_PREFIX, write_kernel_file
from tests.faults.disturbed_sweep import (
    FILLER,
    PATIENCE_S,
    PROGRAM,
    ROOT,
    VARIABLE,
    DisturbedSweep,
    can_mount,
    disturb_sweep,
    fill_disk,
    kill_with_watchdog,
    mount_small_disk,
    signal_program,
    wait_for_moment,
    wait_until_none,
)

# The time within which all processes must end. A worker that has just started checks for its parent only after a while.
LEAVE_S = 5.0
SWEEP = """\
deadline = "{deadline_s}s"

[axes]
frameworks = ["{framework}"]
environment = ["current"]
workloads = ["{workload}"]

[limits]
memory = "{memory}"
processes = 32

[timing]
samples = 5
sample_ns = 1000000
warmup_min_ns = 1000000

[stop]
blocks = 2
"""
# The rough duration of a job: moments are drawn from the time of four.
START_S = {"numpy": 1.0, "torch": 3.0, "tensorflow": 6.0, "synthetic": 1.0}
# Outcomes of a job that reached its report; on a busy machine not every report is a good measurement.
REPORTED = ("measured", "nonlinear", "overhead-dominated")
MOST_RESUMES = 3


@dataclass
class Trial(DisturbedSweep):
    """One sweep with a framework."""

    framework: str
    guests: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    orchestrators: list[int] = field(default_factory=list)

    def start_orchestrator(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start the orchestrator, and keep its id."""
        started = self.start_program(*arguments)
        self.orchestrators.append(started.pid)
        return started

    def count_reported(self) -> Counter[str]:
        """Count the jobs of each cell that reached a report."""
        return Counter(record.spec.cell.id for record in self.read_records() if record.outcome in REPORTED)

    def list_cells(self) -> set[str]:
        """Return the cells of the final table, as `show` prints it."""
        command = [*PROGRAM, "show", "latest", "--json"]
        variables = dict(os.environ) | {"PYTHONPATH": str(ROOT)}
        said = subprocess.run(command, cwd=self.folder, env=variables, stdout=subprocess.PIPE, check=False).stdout
        return {cell["id"] for group in json.loads(said or b'{"groups":[]}')["groups"] for cell in group["cells"]}


@dataclass(frozen=True)
class Fault:
    """An action at the chosen moment, and the possible outcomes of a job that it hits."""

    act: Callable[[Trial, psutil.Process], bool]
    causes: Mapping[str, str]
    """Outcomes with the words that their reason must contain."""


def is_worker(child: psutil.Process) -> bool:
    """Return whether a child of the orchestrator is a worker or a template, and not a judge, which has its program."""
    command = child.cmdline()
    return "workers" in " ".join(command) and command[-1] != "judge"


def is_judge(child: psutil.Process) -> bool:
    """Return whether a child of the orchestrator is a judge."""
    return child.cmdline()[-1:] == ["judge"]


def signal_child(
    is_meant: Callable[[psutil.Process], bool], number: signal.Signals
) -> Callable[[Trial, psutil.Process], bool]:
    """Make an action that sends a signal to the running worker, or to a judge, if there is one."""

    def act(_trial: Trial, program: psutil.Process) -> bool:
        for child in program.children():
            if is_meant(child):
                child.send_signal(number)
                return True
        return False

    return act


def cut_power(trial: Trial, program: psutil.Process) -> bool:
    """Kill the orchestrator, and leave the newest record half written."""
    program.kill()
    program.wait()
    newest = max(trial.folder.glob("runs/*/jobs/*.json"), key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is not None:
        newest.write_bytes(newest.read_bytes()[:500])
        newest.with_name(f".{newest.name}.00000000.part").write_bytes(b"{")
    return True


def find_cgroups(orchestrator_pid: int) -> list[Path]:
    """Return the cgroups of this orchestrator's running job, one for each controller or for all."""
    found = []
    for folder, names, _ in os.walk(CGROUP_ROOT):  # os.walk tolerates cgroups that disappear meanwhile
        found += [Path(folder, name) for name in names if re.fullmatch(rf"{NAME_PREFIX}.*-{orchestrator_pid}-.*", name)]
    return found


def add_guest(double: str, *arguments: str, mark: bool = True) -> Callable[[Trial, psutil.Process], bool]:
    """Make an action that adds a program to the job's cgroup, as if the job had started it."""

    def act(trial: Trial, program: psutil.Process) -> bool:
        folders = find_cgroups(program.pid)
        if not folders:
            return False
        command = [sys.executable, "-I", "-S", str(ROOT / f"tests/doubles/{double}.py"), *arguments]
        variables = {VARIABLE: trial.mark} if mark else {}
        made = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=variables, start_new_session=True
        )
        trial.guests.append(made)
        joined = all(write_kernel_file(f"{folder}/cgroup.procs", str(made.pid)) for folder in folders)
        if not joined:  # the job has just ended
            made.kill()
        assert made.stdin is not None
        made.stdin.close()
        return joined

    return act


def kill_beside_hidden(trial: Trial, program: psutil.Process) -> bool:
    """Kill the orchestrator while its job has a daemon that only its cgroup reveals."""
    if not add_guest("daemon", "wait", "bare", mark=False)(trial, program):
        return False
    program.kill()
    return True


def write_events(text: bytes) -> Callable[[Trial, psutil.Process], bool]:
    """Make an action that writes bytes among the events of the running worker, as if it had sent them."""

    def act(_trial: Trial, program: psutil.Process) -> bool:
        for child in program.children():
            if is_worker(child) and (pipe := find_channel(child.pid)):
                with contextlib.suppress(BrokenPipeError), pipe.open("wb", buffering=0) as events:
                    for begin in range(0, len(text), 1 << 16):
                        events.write(text[begin : begin + (1 << 16)])
                return True
        return False

    return act


def find_channel(pid: int) -> Path | None:
    """Find the only pipe that a worker writes to, which is its standard output under any number."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        flags = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text().splitlines())
        if str(entry.readlink()).startswith("pipe:") and int(flags["flags"], 8) & os.O_ACCMODE == os.O_WRONLY:
            return entry
    return None


def do_nothing(_trial: Trial, _program: psutil.Process) -> bool:
    """Do nothing: the worker brings the fault about itself."""
    return True


LOST = {"orchestrator-lost": "before it could record the outcome"}
STOPPED = {"interrupted": "was stopped by SIG"}
# A line that is too long, or an invalid event: the worker's own next event may end the line earlier.
GARBLED = {"garbled": "the worker sent"}
FAULTS: dict[str, Fault] = {
    "worker SIGKILL": Fault(signal_child(is_worker, signal.SIGKILL), {"killed": "SIGKILL ended it"}),
    "worker SIGSEGV": Fault(signal_child(is_worker, signal.SIGSEGV), {"killed": "SIGSEGV ended it"}),
    "worker SIGTERM": Fault(signal_child(is_worker, signal.SIGTERM), {"killed": "SIGTERM ended it"}),
    "worker SIGSTOP": Fault(signal_child(is_worker, signal.SIGSTOP), {"timeout": "because a signal had stopped it"}),
    "judge SIGKILL": Fault(signal_child(is_judge, signal.SIGKILL), {"measured": ""}),
    "orchestrator SIGKILL": Fault(signal_program(signal.SIGKILL), LOST),
    "orchestrator SIGINT": Fault(signal_program(signal.SIGINT), STOPPED),
    "orchestrator SIGTERM": Fault(signal_program(signal.SIGTERM), STOPPED),
    "orchestrator SIGHUP": Fault(signal_program(signal.SIGHUP), STOPPED),
    "orchestrator and watchdog SIGKILL": Fault(kill_with_watchdog, LOST),
    "power": Fault(cut_power, LOST),
    "half an event": Fault(write_events(b'{"kind":"phase","na'), GARBLED),
    "an event too long": Fault(write_events(b"{" * (MAX_LINE_BYTES + 1)), GARBLED),
}
# Faults that need a cgroup for each job.
IN_GROUP: dict[str, Fault] = {
    "leak beside the worker": Fault(add_guest("shares"), {"out-of-memory": "processes because memory ran out"}),
    "fork bomb beside the worker": Fault(
        add_guest("bombs"), {"limit-reached": "processes and threads allowed at once"}
    ),
    "orchestrator SIGKILL beside a hidden daemon": Fault(kill_beside_hidden, LOST),
}
# Faults that need a separate disk for the run, which only root can mount.
ON_A_SMALL_DISK: dict[str, Fault] = {"disk full": Fault(fill_disk, LOST)}

GROUPED = all(CgroupManager("0" * 32).find_parent(controller)[1] for controller in CONTROLLERS)
# Faults that a mode of the synthetic framework brings about itself.
OWN: dict[str, Fault] = {
    "synthetic:stuck": Fault(do_nothing, {"timeout": "during first call"}),
    "synthetic:greedy": Fault(do_nothing, {"out-of-memory": "MemoryError"}),
    "synthetic:flood": Fault(do_nothing, {"measured": ""}),
    "synthetic:crash": Fault(do_nothing, {"killed": "SIGSEGV ended it during first call"}),
}

EVERY = FAULTS | IN_GROUP | ON_A_SMALL_DISK | OWN
# Faults that end a job without a retry.
COSTLY = ("SEGV", "STOP", "leak", "bomb", "event")


def make_sweep_file(fault: str, framework: str) -> str:
    """Return the sweep file of a trial."""
    name = framework.partition(":")[0]
    workload = "rnn_cell" if name in ("torch", "tensorflow") else "synthetic"
    hangs = fault in ("synthetic:stuck", "worker SIGSTOP")
    deadline_s = 120 if not hangs else 6 if name in ("synthetic", "numpy") else 30
    memory = "1GiB" if fault == "synthetic:greedy" else "16GiB"
    if fault.startswith("leak"):
        memory = "200MiB" if name == "numpy" else "1500MiB"
    return SWEEP.format(framework=framework, workload=workload, deadline_s=deadline_s, memory=memory)


@cache
def run_undisturbed(sweep: str) -> tuple[frozenset[str], Mapping[str, int]]:
    """Return the cells of an undisturbed sweep's final table, and the number of their jobs that reported."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sweep.toml").write_text(sweep)
        made = Trial(Path(folder), "nothing", 0, "")
        made.start_orchestrator("sweep", "sweep.toml").wait(PATIENCE_S)
        return frozenset(made.list_cells()), made.count_reported()


def run_trial(folder: Path, fault: str, framework: str, moment_s: float) -> Trial:
    """Run one trial, and record the promises that it broke."""
    made = Trial(folder, fault, moment_s, framework)
    (folder / "sweep.toml").write_text(make_sweep_file(fault, framework))
    with mount_small_disk(folder / "runs") if fault in ON_A_SMALL_DISK else contextlib.nullcontext():
        before = run_disturbed(made)
        (folder / "runs" / FILLER).unlink(missing_ok=True)
        for number in range(MOST_RESUMES):
            if number and made.is_finished():  # resume at least once: a finished run may have a damaged record
                break
            made.start_orchestrator("resume", "latest").wait(PATIENCE_S)
        made.broken += [*find_broken(made, before)]
    return made


def run_disturbed(made: Trial) -> dict[str, bytes]:
    """Run the sweep with its fault, and return the records that existed at that moment."""
    started = made.start_orchestrator("sweep", "sweep.toml")
    before = wait_for_moment(made, started)
    made.hit = disturb_sweep(made, started, EVERY[made.fault].act)
    started.wait(PATIENCE_S)
    made.broken += [f"left running: {each.pid}" for each in wait_until_none(made.find_marked_processes, LEAVE_S)]
    if made.fault == "power" and before:
        before = {name: text for name, text in before.items() if made.read_files().get(name) == text}
    return before


def find_broken(made: Trial, before: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the broken promises, in words."""
    if not made.is_finished():
        yield "it could not be resumed to its end"
    yield from made.list_lost_records(before)
    left = [each.pid for each in made.find_marked_processes()]
    yield from (f"left running at the end: {pid}" for pid in [*left, *made.find_survivors()])
    yield from (f"a guest was left: {each.args!r}" for each in made.guests if each.poll() is None)
    yield from (f"control group left: {path}" for pid in made.orchestrators for path in find_cgroups(pid))
    causes = EVERY[made.fault].causes
    for record in made.read_records():
        known = record.outcome in REPORTED or (record.outcome in causes and causes[record.outcome] in record.reason)
        if not known:
            yield f"wrong cause: {record.outcome}: {record.reason}"
    cells, jobs = run_undisturbed((made.folder / "sweep.toml").read_text())
    if (table := made.list_cells()) != cells or len(cells) != 2:
        yield f"another table: {table}, undisturbed {set(cells)}"
    lost = {
        cell: count - made.count_reported()[cell]
        for cell, count in jobs.items()
        if count != made.count_reported()[cell]
    }
    if lost and not (any(each in made.fault for each in COSTLY) and sum(lost.values()) == 1):
        yield f"another number of jobs: {lost} fewer than undisturbed"


def run_campaign(mix: Mapping[str, int], seed: int) -> list[Trial]:
    """Run trials by the number for each framework, in random order, each with a random fault and moment.

    `synthetic` stands for all modes of the synthetic framework that misbehave by themselves.
    """
    rng, made = random.Random(seed), []
    faults = [*FAULTS, *(IN_GROUP if GROUPED else ()), *(ON_A_SMALL_DISK if can_mount() else ())]
    frameworks = [name for name, count in mix.items() for _ in range(count)]
    rng.shuffle(frameworks)
    for number, name in enumerate(frameworks, 1):
        fault = rng.choice([*OWN] if name == "synthetic" else faults)
        framework = fault if fault in OWN else name
        jobs_s = 4 * START_S[framework.partition(":")[0]]
        with tempfile.TemporaryDirectory() as folder:
            done = run_trial(Path(folder), fault, framework, rng.uniform(0.0, jobs_s))
        print(f"{number}: {fault} on {framework} after {done.moment_s:.2f} s: {done.broken or 'kept'}", flush=True)
        made.append(done)
    return made


def main() -> None:
    """Run the long form of the campaign."""
    options = argparse.ArgumentParser()
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--mix", default="numpy=90,torch:eager=18,torch:trace=17,tensorflow:function=25,synthetic=50")
    given = options.parse_args()
    pairs = (each.partition("=") for each in given.mix.split(","))
    made = run_campaign({name: int(count) for name, _, count in pairs}, given.seed)
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
