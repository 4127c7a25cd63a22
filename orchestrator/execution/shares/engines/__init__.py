"""The engines that place shares on nodes, by what a user calls them. To add one, write a file and name it here."""

from orchestrator.errors import UsageError
from orchestrator.execution.shares import Engine
from orchestrator.execution.shares.engines.command import COMMAND, CommandEngine
from orchestrator.execution.shares.engines.kubernetes import KubernetesEngine
from orchestrator.execution.shares.engines.slurm import SlurmEngine
from orchestrator.execution.shares.returns import PULSE_S
from orchestrator.planning.cluster_file import SLURM
from schemas.cluster import Cluster

# Signs of life that are missing at least from a share that counts as lost.
LEAST_PULSES = 3

KUBERNETES = "kubernetes"


def open_engine(cluster: Cluster, cells: int) -> Engine:
    """Return the engine for the shares of a run with this number of cells.

    Raises:
        UsageError: there is no such engine, or a setting does not fit it.
    """
    check_patience(cluster)
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


def check_patience(cluster: Cluster) -> None:
    """Check that a share is not given up between two signs of life.

    Raises:
        UsageError: the patience is too short.
    """
    if cluster.patience < (least_s := LEAST_PULSES * PULSE_S):
        raise UsageError(
            f"patience in [cluster] is {cluster.patience:g} s, but a share gives a sign of life every {PULSE_S:g} s; "
            f"write {least_s:g}s or more"
        )


def shares_files(cluster: Cluster) -> bool:
    """Return whether nodes see the folder of a run under the same path."""
    return (cluster.files or ("stream" if COMMAND in cluster.on else "shared")) == "shared"
