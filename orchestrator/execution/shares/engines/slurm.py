"""Shares by Slurm: one array for all attempts of one number. Their states come from squeue, without its database."""

import math
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.execution.shares import EngineState, Number, Place
from orchestrator.execution.shares.share_command import make_share_command
from orchestrator.processes.process import ProgramOutput, ask_program
from orchestrator.processes.signals import Interrupts, wait_for_signal
from orchestrator.records.share_store import ShareStore
from schemas.cluster import Cluster

DEADLINE_S: Final = 60.0

# The indices of an array are below 1001 where nobody has raised that limit.
ARRAY_SIZE: Final = 1000

# Variables without which a program finds neither itself nor its user. All others stay here, unless they are kept.
BASIC_VARIABLES: Final = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TZ",
    "PLUMBLINE_HOME",
    "PLUMBLINE_LOCKS",
)

WAITING: Final = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"})
RUNNING: Final = frozenset({"RUNNING", "CONFIGURING", "COMPLETING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED"})
COLUMNS: Final = "%F|%K|%j|%T|%N|%r"
IDS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """A task of an array, as squeue lists it."""

    id: str
    index: str
    name: str
    state: str
    node: str
    reason: str


@dataclass(slots=True)
class SlurmEngine:
    """The engine of Slurm. The names of its jobs follow from the run's folder, so that a later head finds them."""

    cluster: Cluster
    _ids: dict[str, str] = field(default_factory=dict)

    def list_places(self) -> Sequence[Place]:
        """Return one place where Slurm chooses the nodes, or a place for each node that was named."""
        nodes = self.cluster.nodes
        if isinstance(nodes, tuple):
            return [Place(name, 1) for name in dict.fromkeys(nodes)]
        return [Place("", nodes or self._count_nodes())]

    def _count_nodes(self) -> int:
        """Count the nodes of the partition that are not down."""
        partition = [f"--partition={self.cluster.partition}"] if self.cluster.partition else []
        found = check_answer(ask_program(["sinfo", "-h", "-N", "-o", "%N|%t|%P", *partition], deadline_s=DEADLINE_S))
        rows = [line.split("|") for line in found.output.splitlines() if line.count("|") == 2]
        default = [row for row in rows if row[2].endswith("*")] if not self.cluster.partition else rows
        usable = {name for name, state, _ in default or rows if not re.match("down|drain|drng|fail|maint", state)}
        if not usable:
            raise UsageError(f"Slurm offers no node{' in ' + self.cluster.partition if partition else ''}; see sinfo")
        return len(usable)

    def start_attempts(self, attempts: Sequence[ShareStore], place: Place) -> None:
        """Submit attempts as arrays. The slots of the place limit how many shares run at once."""
        arrays = defaultdict(list)
        for store in attempts:
            arrays[name_array(store)].append(store)
        for name, stores in arrays.items():
            share, attempt = stores[0].number
            indices = ",".join(str(store.number[0] % ARRAY_SIZE) for store in stores)
            options = [f"--job-name={name}", f"--array={indices}%{place.slots}", *self._list_options()]
            options += [f"--nodelist={place.name}"] if place.name else []
            script = self._make_script(stores[0], share - share % ARRAY_SIZE, attempt)
            check_answer(ask_program(["sbatch", *options], message=script, deadline_s=DEADLINE_S))

    def _list_options(self) -> list[str]:
        """Return the options of sbatch. They prevail over those of the script, which are the user's."""
        asked = self.cluster
        named = {"partition": asked.partition, "constraint": asked.constraint, "account": asked.account}
        return [
            "--parsable",
            "--nodes=1",
            "--ntasks=1",
            "--mem=0",
            "--exclusive",
            # A requeued share would begin again under the same number.
            "--no-requeue",
            "--input=/dev/null",
            "--output=/dev/null",
            f"--export={','.join(dict.fromkeys((*BASIC_VARIABLES, *asked.keep)))}",
            *(f"--{name}={value}" for name, value in named.items() if value),
            *([f"--gres=gpu:{asked.gpus}"] if asked.gpus else []),
            *([f"--time={math.ceil(asked.time / 60)}"] if asked.time else []),
        ]

    def _make_script(self, store: ShareStore, window: int, attempt: int) -> str:
        """Return the script of an array, each of whose tasks finds its request by its index."""
        shares, command = shlex.quote(str(store.folder.parent.resolve())), " ".join(make_share_command(self.cluster))
        return "\n".join(
            [
                "#!/bin/sh",
                *(f"#SBATCH {line}" for line in self.cluster.sbatch),
                f"folder={shares}/$(({window} + SLURM_ARRAY_TASK_ID))-{attempt}",
                f'exec >> "$folder/{store.log_path.name}" 2>&1',
                f'exec {command} --node "$SLURMD_NODENAME" < "$folder/{store.spec_path.name}"',
                "",
            ]
        )

    def ask_states(self, attempts: Sequence[ShareStore]) -> Mapping[Number, EngineState]:
        """Return the states of attempts by one question for all."""
        if not attempts:
            return {}
        names = sorted({name_array(store) for store in attempts})
        found = ask_program(
            ["squeue", "--noheader", "--array", "--states=all", f"--name={','.join(names)}", f"--format={COLUMNS}"],
            deadline_s=DEADLINE_S,
        )
        if found.status != 0:
            silent = EngineState("unknown", reason=f"Slurm does not answer: {found.errors[:200]}")
            return {store.number: silent for store in attempts}
        jobs = {f"{job.name}-{job.index}": job for job in parse_jobs(found.output)}
        self._ids.update((task, job.id) for task, job in jobs.items())
        return {store.number: to_state(jobs.get(name_task(store))) for store in attempts}

    def cancel_attempts(self, attempts: Sequence[ShareStore], *, kill: bool) -> None:
        """Cancel attempts: Slurm terminates them, and kills what is left after the site's KillWait."""
        self.ask_states(attempts)
        ids = [self._ids[name_task(store)] for store in attempts if name_task(store) in self._ids]
        for at in range(0, len(ids), IDS_AT_ONCE):
            chunk = ids[at : at + IDS_AT_ONCE]
            ask_program(["scancel", *(["--signal=KILL", "--full"] if kill else []), *chunk], deadline_s=DEADLINE_S)

    def fetch_files(self, attempt: ShareStore) -> None:
        """Leave the files where the nodes have written them."""

    def pass_time(self, seconds: float, interrupts: Interrupts | None = None) -> None:
        """Wait for so long, or until a signal comes."""
        wait_for_signal(seconds, interrupts)

    def end_processes(self) -> None:
        """Leave everything to Slurm: nothing of it runs as a child of this process."""


def name_array(store: ShareStore) -> str:
    """Return the name of the array to which an attempt belongs."""
    share, attempt = store.number
    return f"plumbline-{store.run_hash}-{share // ARRAY_SIZE}-{attempt}"


def name_task(store: ShareStore) -> str:
    """Return the name of the array of an attempt with its index."""
    return f"{name_array(store)}-{store.number[0] % ARRAY_SIZE}"


def parse_jobs(text: str) -> Iterator[SlurmJob]:
    """Yield the tasks of arrays that squeue lists."""
    for line in text.splitlines():
        if len(parts := line.strip().split("|")) == COLUMNS.count("|") + 1:
            array, index, name, state, node, reason = parts
            yield SlurmJob(f"{array}_{index}", index, name, state, node, reason)


def to_state(job: SlurmJob | None) -> EngineState:
    """Return the state of an attempt from that of its job; Slurm forgets one some minutes after its end."""
    if job is None:
        return EngineState("gone", reason="Slurm does not know it")
    if job.state in WAITING:
        return EngineState("waiting", reason="" if job.reason in ("None", "Priority") else job.reason)
    if job.state in RUNNING:
        return EngineState("running", job.node)
    reason = "" if job.reason in ("None", "") else f" ({job.reason})"
    return EngineState("gone", job.node, f"Slurm: {job.state.lower().replace('_', ' ')}{reason}")


def check_answer(found: ProgramOutput) -> ProgramOutput:
    """Return the answer of a program of Slurm.

    Raises:
        UsageError: it has refused, or cannot be run.
    """
    if found.status is None:
        raise UsageError(f"Slurm does not answer: {found.errors[:300]}; run this where jobs are submitted with sbatch")
    if found.status != 0:
        said = found.errors.splitlines()[0] if found.errors else f"status {found.status}"
        raise UsageError(f"Slurm refuses: {said[:300]}; check [cluster] and the options of this command")
    return found
