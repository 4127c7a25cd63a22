"""A Slurm of two nodes on this machine, run by the current user from a folder, without a database.

Where munge is installed, a munged with a key of its own vouches for its users, as on a real cluster.
"""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults.disturbed_sweep import find_processes_with

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
NODES = ("n1", "n2")
# Daemons do not outlive tests that are killed.
DIE_WITH_TESTS = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
# A node whose daemon was killed is completing its job for a while.
WAIT_S = 150.0
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
WITH_MUNGE = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge"""
WITHOUT_MUNGE = """\
AuthType=auth/none
CredType=cred/none"""
CONFIGURATION = """\
ClusterName=plumbline
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
{security}
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=15
MinJobAge=60
InactiveLimit=0
SchedulerParameters=sched_interval=2
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cpus} State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def explain_missing() -> str:
    """Return why no Slurm can be run here; empty if it can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    return f"needs {', '.join(missing)}: apt-get install slurm-wlm" if missing else ""


@dataclass
class SlurmCluster:
    """The daemons of one Slurm, each by its process id."""

    folder: Path
    daemons: dict[str, int] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """The variables with which the programs of Slurm find this one."""
        return dict(os.environ) | {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": PATH}

    @property
    def has_munge(self) -> bool:
        """Return whether munge is installed."""
        return shutil.which("munged", path=PATH) is not None

    def configure(self) -> None:
        """Write the configuration, with ports that are free now."""
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        text = CONFIGURATION.format(
            folder=self.folder,
            security=(WITH_MUNGE if self.has_munge else WITHOUT_MUNGE).format(folder=self.folder),
            host=socket.gethostname().partition(".")[0],
            user=pwd.getpwuid(os.getuid()).pw_name,
            cpus=os.cpu_count(),
            ports=find_free_ports(3),
        )
        (self.folder / "slurm.conf").write_text(text)

    def run(self, *command: str) -> str:
        """Run a program of Slurm, and return what it prints."""
        done = subprocess.run(command, env=self.variables, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout.strip()

    def start_munge(self) -> None:
        """Start a munged with a new key, and wait until it listens. Its folder is of the test's user alone."""
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        paths = {name: self.folder / f"munge.{name}" for name in ("socket", "pid", "log", "seed")}
        options = [f"--key-file={key}", f"--socket={paths['socket']}", f"--log-file={paths['log']}"]
        options += [f"--pid-file={paths['pid']}", f"--seed-file={paths['seed']}"]
        self._start("munged", "munged", "--foreground", "--force", *options)
        until = time.monotonic() + WAIT_S
        while not paths["socket"].exists():
            if time.monotonic() > until or STARTED[self.daemons["munged"]].poll() is not None:
                raise RuntimeError(f"munged does not listen: {(self.folder / 'munged.out').read_text()}")
            time.sleep(0.05)

    def start_controller(self) -> None:
        """Start the controller."""
        self._start(
            "slurmctld", "slurmctld", "-D", "-i" if not (self.folder / "state" / "job_state").exists() else "-v"
        )

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        self._start(node, "slurmd", "-D", "-N", node)

    def _start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as out:
            started = subprocess.Popen(
                [*DIE_WITH_TESTS, *command],
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.daemons[name] = started.pid
        STARTED[started.pid] = started

    def kill(self, name: str) -> None:
        """Kill a daemon, and start another one later."""
        process = STARTED[self.daemons.pop(name)]
        process.kill()
        process.wait()

    def repair(self) -> None:
        """Start what was killed, and make both nodes ready again."""
        if "slurmctld" not in self.daemons:
            self.start_controller()
        for node in NODES:
            if node not in self.daemons:
                self.start_node(node)
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            states = self.run("sinfo", "-h", "-N", "-o", "%N %t").split("\n")
            if len(states) == len(NODES) and all(
                line.split()[-1] in ("idle", "alloc", "mix") for line in states if line
            ):
                return
            for node in NODES:
                self.run("scontrol", "update", f"nodename={node}", "state=resume")
            time.sleep(0.5)
        raise TimeoutError(f"the nodes are not ready: {states}")

    def list_jobs(self) -> list[str]:
        """List the jobs that wait or run."""
        return self.run("squeue", "-h", "-o", "%i %T").splitlines()

    def stop(self) -> None:
        """End all daemons, and the steps that a killed one has left."""
        self.run("scancel", "--signal=KILL", "--full", "--state=running", f"--user={pwd.getpwuid(os.getuid()).pw_name}")
        for pid in self.daemons.values():
            STARTED[pid].terminate()
        for pid in self.daemons.values():
            try:
                STARTED[pid].wait(10)
            except subprocess.TimeoutExpired:
                STARTED[pid].kill()
                STARTED[pid].wait()
        for process in find_steps(self.folder):
            with contextlib.suppress(psutil.Error):
                process.kill()


STARTED: dict[int, "subprocess.Popen[bytes]"] = {}


def find_steps(folder: Path) -> list[psutil.Process]:
    """Find the step daemons of this Slurm, by its configuration in their environment."""
    found = find_processes_with("SLURM_CONF", str(folder / "slurm.conf"))
    return [each for each in found if each.pid != os.getpid() and "slurmstepd" in " ".join(each.cmdline())]


def find_free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def run_slurm(folder: Path) -> Iterator[SlurmCluster]:
    """Run a Slurm of two nodes while entered."""
    made = SlurmCluster(folder)
    made.configure()
    try:
        if made.has_munge:
            made.start_munge()
        made.start_controller()
        time.sleep(1)
        for node in NODES:
            made.start_node(node)
        made.repair()
        yield made
    finally:
        made.stop()
