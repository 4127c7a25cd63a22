"""The faults of a sweep on several nodes: each is an action on a share, the head, or what places shares."""

import contextlib
import json
import os
import random
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults.disturbed_sweep import (
    PROGRAM,
    VARIABLE,
    DisturbedSweep,
    fill_disk,
    kill_with_watchdog,
    signal_program,
)
from tests.faults.slurm_cluster import NODES, SlurmCluster

BLOCKS = 6
SHARE_BLOCKS = 2
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
patience = "15s"
home = "{home}"
keep = ["{variable}", "PLUMBLINE_LOCKS"]
"""


@dataclass
class Trial(DisturbedSweep):
    """One sweep on several nodes."""

    cluster: SlurmCluster | None
    on: str = "slurm"
    nodes: str = ""
    resumes: int = 0
    rng: random.Random = field(default_factory=random.Random)
    beside: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables of the head, with which it finds the Slurm of the trial."""
        base = self.cluster.variables if self.cluster else os.environ
        return {**base, **self.own_variables, "PLUMBLINE_LOCKS": str(self.folder / "locks")}

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

    def find_shares(self) -> list[psutil.Process]:
        """Find the processes that run shares, by the mark."""
        found = []
        for process in self.find_marked_processes():
            with contextlib.suppress(psutil.Error):
                command = process.cmdline()
                if "share" in command and "orchestrator" in command and "ssh" not in Path(command[0]).name:
                    found.append(process)
        return found

    def list_begun(self, pattern: str = "*") -> list[Path]:
        """List the folders of attempts, by a pattern of their names, that a node has begun."""
        assert self.run_folder is not None
        return [path.parent for path in self.run_folder.glob(f"shares/{pattern}/lease.json")]


Act = Callable[[Trial, psutil.Process], bool]


def signal_share(number: signal.Signals) -> Act:
    """Make an action that sends a signal to a running share."""

    def act(trial: Trial, _head: psutil.Process) -> bool:
        shares = trial.find_shares()
        if shares:
            trial.rng.choice(shares).send_signal(number)
        return bool(shares)

    return act


def kill_daemon(name: str) -> Act:
    """Make an action that kills a daemon of Slurm; "" is that of a node."""

    def act(trial: Trial, _head: psutil.Process) -> bool:
        assert trial.cluster is not None
        trial.cluster.kill(name or trial.rng.choice(NODES))
        return True

    return act


def kill_node(trial: Trial, head: psutil.Process) -> bool:
    """Kill the daemon of a node, with a share that runs: a lost machine."""
    return kill_daemon("")(trial, head) and signal_share(signal.SIGKILL)(trial, head)


def drain_node(trial: Trial, _head: psutil.Process) -> bool:
    """Drain a node: what runs there may end."""
    assert trial.cluster is not None
    trial.cluster.run("scontrol", "update", f"nodename={trial.rng.choice(NODES)}", "state=drain", "reason=test")
    return True


def order_job(order: Sequence[str], *, running: bool = False) -> Act:
    """Make an action that gives an order about one job, as its user or its site may."""

    def act(trial: Trial, _head: psutil.Process) -> bool:
        assert trial.cluster is not None
        states = ("-t", "running") if running else ()
        jobs = trial.cluster.run("squeue", "-h", "-r", *states, "-o", "%F_%K").split()
        if jobs:
            trial.cluster.run(*order, trial.rng.choice(jobs))
        return bool(jobs)

    return act


def start_same_attempt(trial: Trial, _head: psutil.Process) -> bool:
    """Start an attempt that runs once more, as a scheduler does that has lost track of it."""
    if begun := trial.list_begun():
        start_by_hand(trial, trial.rng.choice(begun) / "spec.json")
    return bool(begun)


def start_second_attempt(trial: Trial, _head: psutil.Process) -> bool:
    """Measure a share a second time beside the first, as if it had been given up too early."""
    if begun := trial.list_begun("*-1"):
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
    with spec.open("rb") as text, (trial.folder / "by-hand").open("ab") as out:
        trial.beside.append(
            subprocess.Popen(
                [*PROGRAM, "share", "--node", "by-hand"],
                stdin=text,
                stdout=out,
                stderr=out,
                env=trial.variables,
                cwd=trial.folder,
                start_new_session=True,
            )
        )


def kill_connection(trial: Trial, _head: psutil.Process) -> bool:
    """Kill the command that holds the connection to a node."""
    found = [each for each in trial.find_marked_processes() if Path(each.cmdline()[0]).name == "ssh"]
    if found:
        trial.rng.choice(found).kill()
    return bool(found)


EVERYWHERE: dict[str, Act] = {
    "share SIGKILL": signal_share(signal.SIGKILL),
    "share SIGTERM": signal_share(signal.SIGTERM),
    "head SIGKILL": signal_program(signal.SIGKILL),
    "head SIGTERM": signal_program(signal.SIGTERM),
    "head and watchdog SIGKILL": kill_with_watchdog,
    "disk full": fill_disk,
}
WITH_SLURM: dict[str, Act] = EVERYWHERE | {
    "share SIGSTOP": signal_share(signal.SIGSTOP),
    "slurmd SIGKILL": kill_daemon(""),
    "slurmctld SIGKILL": kill_daemon("slurmctld"),
    "node lost": kill_node,
    "node drained": drain_node,
    "scancel": order_job(["scancel"]),
    "requeue": order_job(["scontrol", "requeue"], running=True),
    "same attempt twice": start_same_attempt,
    "second attempt": start_second_attempt,
}
WITH_SSH: dict[str, Act] = EVERYWHERE | {"connection SIGKILL": kill_connection}
