"""Random faults at random moments of sweeps on several nodes, with the promises that must hold after each.

`python -m tests.faults.shares --trials 20 --seed 1` runs them on a Slurm of two nodes on this machine, and
`--on ssh` on a loopback sshd. Each trial prints a line; the program exits with 1 if a promise was broken.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from orchestrator.processes.watchdog import find_marked
from schemas.record import JobRecord, Manifest
from tests.faults.campaign import FILLER, PROGRAM, ROOT, VARIABLE, mount_small_disk
from tests.faults.slurm_cluster import NODES, SlurmCluster, run_slurm
from tests.faults.ssh_server import run_ssh_server

BLOCKS = 6
SHARE_BLOCKS = 2
JOBS = 2 * BLOCKS
PATIENCE_S = 180
# A controller that was killed learns some time later that a job has ended.
LEAVE_S = 60.0
MOST_RESUMES = 4
# The time in which all shares end, more or less.
LONGEST_S = 14.0
SWEEP = """\
[axes]
frameworks = ["numpy"]
workloads = ["synthetic"]
environment = ["current"]

[timing]
samples = 5
calls = 1000
sample_ns = 2000000
warmup_min_ns = 1000000

[stop]
blocks = {blocks}

[cluster]
on = "{on}"
{nodes}
share_blocks = {share_blocks}
patience = "11s"
home = "{home}"
keep = ["{variable}", "PLUMBLINE_LOCKS"]
"""


@dataclass
class Trial:
    """One sweep on several nodes, its fault, and the promises that it broke."""

    folder: Path
    fault: str
    moment_s: float
    cluster: SlurmCluster | None
    on: str = "slurm"
    nodes: str = ""
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    hit: bool = False
    broken: list[str] = field(default_factory=list)
    resumes: int = 0
    rng: random.Random = field(default_factory=random.Random)
    beside: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def write_sweep(self) -> None:
        """Write the sweep file."""
        text = SWEEP.format(
            blocks=BLOCKS,
            share_blocks=SHARE_BLOCKS,
            on=self.on,
            nodes=self.nodes,
            home=self.folder / "home",
            variable=VARIABLE,
        )
        (self.folder / "sweep.toml").write_text(text)

    def start_head(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start the program in the trial's folder; its shares carry the trial's mark."""
        own = {VARIABLE: self.mark, "PYTHONPATH": str(ROOT), "PLUMBLINE_LOCKS": str(self.folder / "locks")}
        base = self.cluster.variables if self.cluster else dict(os.environ)
        with (self.folder / "out").open("ab") as out:
            return subprocess.Popen(
                [*PROGRAM, *arguments],
                cwd=self.folder,
                env=base | own,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def run(self) -> Path | None:
        """The run's folder once it has a manifest."""
        return next((path.parent for path in self.folder.glob("runs/*/manifest.json")), None)

    def read_files(self) -> dict[str, bytes]:
        """Return the bytes of all records that count, by file name."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("runs/*/jobs/*.json"))}

    def find_shares(self) -> list[psutil.Process]:
        """Find the processes that run shares, by the mark."""
        found = []
        for process in find_marked_processes(self.mark):
            with contextlib.suppress(psutil.Error):
                command = process.cmdline()
                if "share" in command and "orchestrator" in command and "ssh" not in Path(command[0]).name:
                    found.append(process)
        return found

    def is_finished(self) -> bool:
        """Return whether the manifest says that nothing is missing."""
        return self.run is not None and Manifest.model_validate_json((self.run / "manifest.json").read_bytes()).finished


Act = Callable[[Trial, "subprocess.Popen[bytes]"], bool]


def find_marked_processes(mark: str) -> list[psutil.Process]:
    """Find the processes with the trial's mark in their environment."""
    wanted, found = f"{VARIABLE}={mark}".encode(), []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if wanted in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process)
    return found


def signal_share(number: signal.Signals) -> Act:
    """Make an action that sends a signal to a running share."""

    def act(trial: Trial, _head: "subprocess.Popen[bytes]") -> bool:
        shares = trial.find_shares()
        if shares:
            trial.rng.choice(shares).send_signal(number)
        return bool(shares)

    return act


def signal_head(number: signal.Signals) -> Act:
    """Make an action that sends a signal to the head."""

    def act(_trial: Trial, head: "subprocess.Popen[bytes]") -> bool:
        head.send_signal(number)
        return True

    return act


def kill_daemon(name: str) -> Act:
    """Make an action that kills a daemon of Slurm; "" is that of a node."""

    def act(trial: Trial, _head: "subprocess.Popen[bytes]") -> bool:
        assert trial.cluster is not None
        trial.cluster.kill(name or trial.rng.choice(NODES))
        return True

    return act


def kill_node(trial: Trial, head: "subprocess.Popen[bytes]") -> bool:
    """Kill the daemon of a node, with a share that runs: a lost machine."""
    return kill_daemon("")(trial, head) and signal_share(signal.SIGKILL)(trial, head)


def drain_node(trial: Trial, _head: "subprocess.Popen[bytes]") -> bool:
    """Drain a node: what runs there may end."""
    assert trial.cluster is not None
    trial.cluster.run("scontrol", "update", f"nodename={trial.rng.choice(NODES)}", "state=drain", "reason=test")
    return True


def cancel_job(trial: Trial, _head: "subprocess.Popen[bytes]") -> bool:
    """Cancel one job, as its user may."""
    assert trial.cluster is not None
    jobs = trial.cluster.run("squeue", "-h", "-r", "-o", "%F_%K").split()
    if jobs:
        trial.cluster.run("scancel", trial.rng.choice(jobs))
    return bool(jobs)


def requeue_job(trial: Trial, _head: "subprocess.Popen[bytes]") -> bool:
    """Requeue one running job, as its site may."""
    assert trial.cluster is not None
    jobs = trial.cluster.run("squeue", "-h", "-r", "-t", "running", "-o", "%F_%K").split()
    if jobs:
        trial.cluster.run("scontrol", "requeue", trial.rng.choice(jobs))
    return bool(jobs)


def start_same_attempt(trial: Trial, _head: "subprocess.Popen[bytes]") -> bool:
    """Start an attempt that runs once more, as a scheduler does that has lost track of it."""
    assert trial.run is not None
    begun = [path.parent for path in trial.run.glob("shares/*/lease.json")]
    if begun:
        start_by_hand(trial, trial.rng.choice(begun) / "spec.json")
    return bool(begun)


def start_second_attempt(trial: Trial, _head: "subprocess.Popen[bytes]") -> bool:
    """Measure a share a second time beside the first, as if it had been given up too early."""
    assert trial.run is not None
    begun = [path.parent for path in trial.run.glob("shares/*-1/lease.json")]
    if begun:
        first = trial.rng.choice(begun)
        second = first.with_name(first.name.replace("-1", "-2"))
        for name in ("jobs", "closed"):
            (second / name).mkdir(parents=True)
        spec = json.loads((first / "spec.json").read_text()) | {"attempt": 2, "folder": str(second)}
        (second / "spec.json").write_text(json.dumps(spec) + "\n")
        start_by_hand(trial, second / "spec.json")
    return bool(begun)


def start_by_hand(trial: Trial, spec: Path) -> None:
    """Start the share of a request on this machine."""
    own = {VARIABLE: trial.mark, "PYTHONPATH": str(ROOT), "PLUMBLINE_LOCKS": str(trial.folder / "locks")}
    with spec.open("rb") as text, (trial.folder / "by-hand").open("ab") as out:
        trial.beside.append(
            subprocess.Popen(
                [*PROGRAM, "share", "--node", "by-hand"],
                stdin=text,
                stdout=out,
                stderr=out,
                env=dict(os.environ) | own,
                cwd=trial.folder,
                start_new_session=True,
            )
        )


def fill_disk(trial: Trial, _head: "subprocess.Popen[bytes]") -> bool:
    """Fill the disk of the run to the last byte."""
    with contextlib.suppress(OSError), (trial.folder / "runs" / FILLER).open("wb", buffering=0) as filler:
        for size in (1 << 16, 1):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(size))
    return True


def kill_connection(trial: Trial, _head: "subprocess.Popen[bytes]") -> bool:
    """Kill the command that holds the connection to a node."""
    found = [each for each in find_marked_processes(trial.mark) if Path(each.cmdline()[0]).name == "ssh"]
    if found:
        trial.rng.choice(found).kill()
    return bool(found)


def kill_with_watchdog(trial: Trial, head: "subprocess.Popen[bytes]") -> bool:
    """Kill the head and its watchdog at once."""
    program = psutil.Process(head.pid)
    for child in program.children():
        if "watchdog" in " ".join(child.cmdline()):
            child.kill()
    program.kill()
    return True


EVERYWHERE: dict[str, Act] = {
    "share SIGKILL": signal_share(signal.SIGKILL),
    "share SIGTERM": signal_share(signal.SIGTERM),
    "head SIGKILL": signal_head(signal.SIGKILL),
    "head SIGTERM": signal_head(signal.SIGTERM),
    "head and watchdog SIGKILL": kill_with_watchdog,
    "disk full": fill_disk,
}
WITH_SLURM: dict[str, Act] = EVERYWHERE | {
    "slurmd SIGKILL": kill_daemon(""),
    "slurmctld SIGKILL": kill_daemon("slurmctld"),
    "node lost": kill_node,
    "node drained": drain_node,
    "scancel": cancel_job,
    "requeue": requeue_job,
    "same attempt twice": start_same_attempt,
    "second attempt": start_second_attempt,
}
WITH_SSH: dict[str, Act] = EVERYWHERE | {"connection SIGKILL": kill_connection}


def run_trial(made: Trial, act: Act) -> Trial:
    """Run one trial, and record the promises that it broke."""
    made.write_sweep()
    (made.folder / "locks").mkdir()
    disk = mount_small_disk(made.folder / "runs") if made.fault == "disk full" else contextlib.nullcontext()
    with disk:
        before = run_disturbed(made, act)
        (made.folder / "runs" / FILLER).unlink(missing_ok=True)
        if made.cluster is not None:
            made.cluster.repair()
        while not made.is_finished() and made.resumes < MOST_RESUMES and made.run is not None:
            made.resumes += 1
            made.start_head("resume", "--no-report").wait(PATIENCE_S)
        for process in made.beside:
            process.wait(PATIENCE_S)
        made.broken += find_broken(made, before)
    return made


def run_disturbed(made: Trial, act: Act) -> dict[str, bytes]:
    """Run the sweep with its fault, and return the records that existed at that moment."""
    head = made.start_head("sweep", "sweep.toml", "--no-report")
    while head.poll() is None and made.run is None:
        time.sleep(0.02)
    until = time.monotonic() + made.moment_s
    while head.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    before = made.read_files()
    while head.poll() is None and not made.hit:
        with contextlib.suppress(psutil.Error):
            made.hit = act(made, head)
        time.sleep(0.02)
    time.sleep(2)
    if made.fault == "disk full":
        time.sleep(3)
        (made.folder / "runs" / FILLER).unlink(missing_ok=True)
    if made.fault == "node drained" and made.cluster is not None:
        time.sleep(3)
        made.cluster.repair()
    head.wait(PATIENCE_S)
    return before


def find_broken(made: Trial, before: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the broken promises, in words."""
    if made.run is None:
        return  # the head was ended before it had begun anything
    after = made.read_files()
    if not made.is_finished():
        yield f"it could not be resumed to its end: {(made.folder / 'out').read_text()[-600:]}"
    yield from (f"record lost: {name}" for name, text in before.items() if after.get(name) != text)
    records = [JobRecord.model_validate_json(text) for text in after.values()]
    jobs = Counter((record.spec.block, record.spec.cell.id) for record in records)
    whole = Counter(block for block, _ in jobs)
    if set(whole) != set(range(1, BLOCKS + 1)) or set(whole.values()) != {2}:
        yield f"blocks are not whole: {sorted(whole.items())}"
    yield from (f"counted twice: {job}" for job, count in jobs.items() if count > 1)
    owners = defaultdict(set)
    for record in records:
        owners[record.spec.block].add(record.placement and (record.placement.share, record.placement.attempt))
    yield from (f"block {block} is of {found}" for block, found in owners.items() if len(found) > 1 or None in found)
    yield from (f"outcome {record.outcome}: {record.reason}" for record in records if record.outcome not in FINE)
    until = time.monotonic() + LEAVE_S
    while (left := list_left(made)) and time.monotonic() < until:
        time.sleep(0.2)
    yield from (f"left running: {each}" for each in left)


# On a busy machine not every report is a good measurement.
FINE = ("measured", "nonlinear", "overhead-dominated")


def list_left(made: Trial) -> list[str]:
    """List what still runs of a trial: marked processes, workers of its shares, and jobs of Slurm."""
    found = [f"{each.pid}" for each in find_marked_processes(made.mark)]
    assert made.run is not None
    _, _, mark = (made.run / ".lock").read_text().partition(" ")
    found += [f"{pid} of the head" for pid in (find_marked(mark) if mark else [])]
    return found + (made.cluster.list_jobs() if made.cluster else [])


def run_campaign(on: str, trials: int, seed: int, first: int = 1) -> list[Trial]:
    """Run trials from the `first` on, each with a random fault at a random moment.

    Every fault comes before any comes again.
    """
    rng, done = random.Random(seed), list[Trial]()
    faults = WITH_SLURM if on == "slurm" else WITH_SSH
    names = [name for _ in range(0, trials, len(faults)) for name in rng.sample(list(faults), len(faults))][:trials]
    moments_s = [rng.uniform(0.0, LONGEST_S) for _ in names]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        cluster = stack.enter_context(run_slurm(Path(folder))) if on == "slurm" else None
        server = stack.enter_context(run_ssh_server(Path(folder))) if on == "ssh" else None
        for number, (name, moment_s) in list(enumerate(zip(names, moments_s, strict=True), 1))[first - 1 :]:
            with tempfile.TemporaryDirectory() as place:
                made = Trial(Path(place), name, moment_s, cluster, rng=rng)
                if server is not None:
                    made.on, made.nodes = server.template, 'nodes = ["127.0.0.1", "localhost"]'
                began = time.monotonic()
                run_trial(made, faults[name])
            took_s = time.monotonic() - began
            said = f"{made.resumes} resumes, {took_s:.0f} s, {'hit' if made.hit else 'missed'}: {made.broken or 'kept'}"
            print(f"{number}: {name} after {made.moment_s:.1f} s: {said}", flush=True)
            done.append(made)
    return done


def main() -> None:
    """Run the long form of the campaign."""
    options = argparse.ArgumentParser()
    options.add_argument("--on", choices=("slurm", "ssh"), default="slurm")
    options.add_argument("--trials", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--first", type=int, default=1, help="the trial to begin with, after an end in the middle")
    given = options.parse_args()
    made = run_campaign(given.on, given.trials, given.seed, given.first)
    broken = [each for each in made if each.broken]
    summary = {"trials": len(made), "hit": sum(each.hit for each in made), "broken": len(broken)}
    print(json.dumps(summary | {"faults": Counter(each.fault for each in made)}))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
