"""`cluster-job`: the job of a cluster that runs the shares of a run which have not begun."""

from pathlib import Path

from orchestrator.cli.output import print_json
from orchestrator.errors import UsageError
from orchestrator.execution.shares.engines import KUBERNETES
from orchestrator.execution.shares.engines.kubernetes import build_kubernetes_job
from orchestrator.records import store
from orchestrator.records.share_store import list_attempts


def print_cluster_job(root: Path, name: str, image: str, claim: str) -> None:
    """Print the manifest of a Kubernetes job for the attempts of a run that wait for a pod.

    Raises:
        UsageError: the run is not for Kubernetes, or nothing waits.
    """
    run = store.find_run(root, name)
    cluster = run.read_manifest().sweep.cluster
    if cluster is None or cluster.on != KUBERNETES:
        raise UsageError(f"{run.name} is not for Kubernetes; begin one with: sweep --on {KUBERNETES} --nodes 4")
    waiting = [each for each in list_attempts(run) if each.read_lease() is None and not each.is_withdrawn]
    if not waiting:
        raise UsageError(f"{run.name} has no share that waits; hand out what is missing with `resume`")
    print_json(build_kubernetes_job(cluster, waiting, image, claim, root))
