"""Shares by Slurm: one array for all attempts of one number. Their states come from squeue, without its database."""

import math
import re
import shlex
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.execution.shares import EngineSilent, EngineState, Number, Place
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

PROGRAMS: Final = ("sbatch", "squeue", "scancel")

# What programs of Slurm say when its daemon is away or busy.
SILENCE: Final = re.compile(
    "unable to contact|timed out|temporarily|standby|zero bytes|connection|transport endpoint", re.IGNORECASE
)

# Nodes on which nothing can run now. A star: the node does not answer; a dollar sign: it is under maintenance.
UNUSABLE: Final = re.compile(r"(?:down|drain|drng|fail|futr|inval|maint|npc|resv|unk)\S*|\S*[*$]\S*")

# Features that are joined by one sign. Slurm knows more: counts, brackets, and both signs at once.
SIMPLE_CONSTRAINT: Final = re.compile(r"[^&|,*()\[\]\s]+(?:(?:&[^&|,*()\[\]\s]+)*|(?:\|[^&|,*()\[\]\s]+)*)")

# The user's own option that excludes nodes, which that of a command would replace.
EXCLUDED: Final = re.compile(r"(?:--exclude(?:=|\s+)|-x\s*)(\S+)")

WAITING: Final = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
)
RUNNING: Final = frozenset({"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED"})
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

    @property
    def task(self) -> str:
        """The name of its attempt."""
        return f"{self.name}-{self.index}"


@dataclass(slots=True)
class SlurmEngine:
    """The engine of Slurm. The names of its jobs follow from the run's folder, so that a later head finds them."""

    cluster: Cluster
    _ids: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cluster.files == "stream":
            raise UsageError("--on slurm needs files = 'shared' in [cluster]: a folder for the runs that all nodes see")
        asked = PROGRAMS if self.cluster.nodes else (*PROGRAMS, "sinfo")
        if missing := next((name for name in asked if shutil.which(name) is None), None):
            raise UsageError(
                f"--on slurm: there is no program {missing}; run this where jobs are submitted with sbatch"
            )

    def list_places(self) -> Sequence[Place]:
        """Return one place where Slurm chooses the nodes, or a place for each node that was named."""
        nodes = self.cluster.nodes
        if isinstance(nodes, tuple):
            return [Place(name, 1) for name in dict.fromkeys(nodes)]
        return [Place("", nodes or self._count_nodes())]

    def _count_nodes(self) -> int:
        """Count the nodes of the partition that have the features which are asked for, and can run something."""
        partition, constraint = self.cluster.partition, self.cluster.constraint
        check_constraint(constraint)
        usable = {
            name
            for name, state, _, features in self._list_nodes()
            if not UNUSABLE.fullmatch(state) and has_features(features, constraint)
        }
        if not usable:
            where = [f" {word} {name}" for word, name in (("in", partition), ("with", constraint)) if name]
            raise UsageError(f"Slurm offers no node{''.join(where)}; see sinfo")
        return len(usable)

    def _list_nodes(self) -> list[list[str]]:
        """List the name, state, partition and features of each node of the partition, or else of the default one."""
        asked = [f"--partition={self.cluster.partition}"] if self.cluster.partition else []
        found = check_answer(ask_program(["sinfo", "-h", "-N", "-o", "%N|%t|%P|%f", *asked], deadline_s=DEADLINE_S))
        rows = [line.split("|") for line in found.output.splitlines() if line.count("|") == 3]
        default = [row for row in rows if row[2].endswith("*")]
        return rows if asked else default or rows

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
            options += self._exclude_nodes(place)
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

    def _exclude_nodes(self, place: Place) -> list[str]:
        """Return the option by which Slurm chooses none of these nodes, and none that the user excludes."""
        asked = [found[1] for line in self.cluster.sbatch if (found := EXCLUDED.fullmatch(line.strip()))]
        return [f"--exclude={','.join([*asked, *sorted(place.excluded)])}"] if place.excluded else []

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
        jobs = defaultdict[str, list[SlurmJob]](list)
        for job in parse_jobs(found.output):
            jobs[job.task].append(job)
        self._ids.update((task, {job.id for job in found}) for task, found in jobs.items())
        return {store.number: choose_state(jobs[name_task(store)]) for store in attempts}

    def cancel_attempts(self, attempts: Sequence[ShareStore], *, kill: bool) -> None:
        """Cancel attempts: Slurm terminates them, and kills what is left after the site's KillWait."""
        self.ask_states(attempts)
        ids = [each for store in attempts for each in sorted(self._ids.get(name_task(store), ()))]
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


def choose_state(jobs: Sequence[SlurmJob]) -> EngineState:
    """Return the state of an attempt from that of its job; Slurm forgets one some minutes after its end.

    There are several if Slurm has taken the job and did not say so. Then the one that is not over counts.
    """
    states = [to_state(job) for job in jobs]
    gone = EngineState("gone", reason="Slurm does not know it")
    return next((state for state in states if state.name != "gone"), states[-1] if states else gone)


def to_state(job: SlurmJob) -> EngineState:
    """Return the state of an attempt from that of its job."""
    reason = "" if job.reason in ("None", "Priority") else job.reason
    if job.state in WAITING:
        return EngineState("waiting", reason=reason)
    if job.state in RUNNING:
        return EngineState("running", job.node, reason)
    why = f" ({reason})" if reason else ""
    return EngineState("gone", job.node, f"Slurm: {job.state.lower().replace('_', ' ')}{why}")


def check_constraint(constraint: str) -> None:
    """Check that nodes with these features can be counted.

    Raises:
        UsageError: it is more than features that are joined by one sign.
    """
    if constraint and not SIMPLE_CONSTRAINT.fullmatch(constraint):
        raise UsageError(
            f"constraint {constraint!r} in [cluster] is more than features joined by & or by |, so its nodes cannot be "
            "counted; write their number: --nodes 4"
        )


def has_features(features: str, constraint: str) -> bool:
    """Return whether a node with these features fulfils a constraint."""
    has_enough = any if "|" in constraint else all
    return not constraint or has_enough(name in features.split(",") for name in re.split("[&|]", constraint))


def check_answer(found: ProgramOutput) -> ProgramOutput:
    """Return the answer of a program of Slurm.

    Raises:
        EngineSilent: Slurm does not answer.
        UsageError: it has refused.
    """
    said = found.errors.splitlines()[0][:300] if found.errors else f"status {found.status}"
    if found.status is None or (found.status != 0 and SILENCE.search(found.errors)):
        raise EngineSilent(f"Slurm does not answer: {said}")
    if found.status != 0:
        raise UsageError(f"Slurm refuses: {said}; check [cluster] and the options of this command")
    return found
