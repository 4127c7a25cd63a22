"""Shares by Kubernetes: an indexed job whose manifest a person applies. This program does not talk to the cluster."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import UsageError
from orchestrator.execution.shares import EngineState, Number, Place
from orchestrator.execution.shares.cluster_settings import refuse_slurm_settings
from orchestrator.execution.shares.share_command import make_share_command
from orchestrator.processes.signals import Interrupts, wait_for_signal
from orchestrator.records.share_store import ShareStore
from schemas.cluster import Cluster

LABEL: Final = "plumbline-run"


@dataclass(frozen=True, slots=True)
class KubernetesEngine:
    """The engine of a job that somebody else starts: the files of an attempt alone tell its state."""

    cluster: Cluster

    def __post_init__(self) -> None:
        if not isinstance(self.cluster.nodes, int):
            raise UsageError("--on kubernetes needs a number of nodes, such as --nodes 4")
        if self.cluster.files == "stream":
            raise UsageError("--on kubernetes needs files = 'shared' in [cluster]: a volume that all pods mount")
        if not self.cluster.program:
            raise UsageError(
                "--on kubernetes needs program in [cluster]: the command that starts this program in the image, such "
                "as 'python -m orchestrator'"
            )
        refuse_slurm_settings(self.cluster, "leave it out")
        make_share_command(self.cluster)

    def list_places(self) -> Sequence[Place]:
        """Return one place for the pods of a job. A manifest is for all shares at once: a person applies it once."""
        assert isinstance(self.cluster.nodes, int)
        return [Place("", self.cluster.nodes, takes_all=True)]

    def start_attempts(self, attempts: Sequence[ShareStore], place: Place) -> None:
        """Leave the attempts to the job that somebody applies."""

    def ask_states(self, attempts: Sequence[ShareStore]) -> Mapping[Number, EngineState]:
        """Return that an attempt waits for its job until a pod has begun it; from then on its signs of life tell."""
        return {each.number: find_state(each) for each in attempts}

    def cancel_attempts(self, attempts: Sequence[ShareStore], *, kill: bool) -> None:
        """Leave it to the pods, which see that their attempts were withdrawn."""

    def fetch_files(self, attempt: ShareStore) -> None:
        """Leave the files where the pods have written them."""

    def pass_time(self, seconds: float, interrupts: Interrupts | None = None) -> None:
        """Wait for so long, or until a signal comes."""
        wait_for_signal(seconds, interrupts)

    def end_processes(self) -> None:
        """Leave everything to the job."""


def find_state(attempt: ShareStore) -> EngineState:
    """Return the state of an attempt from its lease."""
    if attempt.read_pulse()[0] == 0:
        return EngineState("waiting", reason="apply the job that `cluster-job` prints")
    lease = attempt.read_lease()
    return EngineState("gone" if lease is not None and lease.withdrawn else "running")


def build_kubernetes_job(
    cluster: Cluster, attempts: Sequence[ShareStore], image: str, claim: str, root: Path
) -> dict[str, Any]:
    """Build the manifest of a job with a pod for each attempt. `claim` is a volume that holds the folder `root`.

    A share that fails does not end the others, as a failed pod would.
    """
    name = f"plumbline-{attempts[0].run_hash}-{attempts[0].folder.name}"
    container: dict[str, Any] = {
        "name": "share",
        "image": image,
        "command": ["sh", "-c", make_pod_script(cluster, attempts)],
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "volumeMounts": [{"name": "runs", "mountPath": str(root.resolve())}],
    }
    if cluster.gpus:
        container["resources"] = {"limits": {"nvidia.com/gpu": cluster.gpus}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {LABEL: name}},
        "spec": {
            "completionMode": "Indexed",
            "completions": len(attempts),
            "parallelism": min(len(attempts), cluster.nodes if isinstance(cluster.nodes, int) else len(attempts)),
            # A limit for the whole job, such as `backoffLimit: 0`, would end all pods with the first that is evicted.
            "backoffLimitPerIndex": 0,
            "podReplacementPolicy": "Failed",
            "template": {
                "metadata": {"labels": {LABEL: name}},
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 15,
                    # Two shares on one node would disturb each other.
                    "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [keep_apart()]}},
                    "containers": [container],
                    "volumes": [{"name": "runs", "persistentVolumeClaim": {"claimName": claim}}],
                },
            },
        },
    }


def keep_apart() -> dict[str, Any]:
    """Return the rule that no node runs two pods of this program."""
    return {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchExpressions": [{"key": LABEL, "operator": "Exists"}]},
    }


def make_pod_script(cluster: Cluster, attempts: Sequence[ShareStore]) -> str:
    """Return the script of a pod, which finds its attempt by its index."""
    folders = " ".join(shlex.quote(str(each.folder.resolve())) for each in attempts)
    first, command = attempts[0], " ".join(make_share_command(cluster))
    return "\n".join(
        [
            f"set -- {folders}",
            'shift "$JOB_COMPLETION_INDEX"',
            f'{command} --node "$NODE_NAME" < "$1/{first.spec_path.name}" >> "$1/{first.log_path.name}" 2>&1',
            "exit 0",
        ]
    )
