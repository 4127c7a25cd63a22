"""The engines that place shares on nodes, by what a user calls them. To add one, write a file and name it here."""

from orchestrator.errors import UsageError
from orchestrator.execution.shares import Engine
from orchestrator.execution.shares.engines.command import COMMAND, CommandEngine
from orchestrator.execution.shares.engines.kubernetes import KubernetesEngine
from orchestrator.execution.shares.engines.slurm import SlurmEngine
from schemas.cluster import Cluster

SLURM = "slurm"
KUBERNETES = "kubernetes"


def open_engine(cluster: Cluster, cells: int) -> Engine:
    """Return the engine for the shares of a run with this number of cells.

    Raises:
        UsageError: there is no such engine, or a setting does not fit it.
    """
    if cluster.on == SLURM:
        return SlurmEngine(cluster)
    if cluster.on == KUBERNETES:
        return KubernetesEngine(cluster)
    if COMMAND in cluster.on:
        return CommandEngine(cluster, cells)
    raise UsageError(
        f"--on {cluster.on!r} names no engine; write {SLURM}, {KUBERNETES}, or a command such as "
        f"'ssh {{node}} {COMMAND}'"
    )


def shares_files(cluster: Cluster) -> bool:
    """Return whether nodes see the folder of a run under the same path."""
    return (cluster.files or ("stream" if COMMAND in cluster.on else "shared")) == "shared"
