"""Settings of `[cluster]` that engines have in common."""

import shlex

from orchestrator.errors import UsageError
from orchestrator.planning.cluster_file import SLURM_SETTINGS
from schemas.cluster import Cluster


def refuse_slurm_settings(cluster: Cluster, advice: str) -> None:
    """Check that no setting is for Slurm, for an engine that would ignore it.

    Raises:
        UsageError: one is; the message ends with the advice.
    """
    for name in SLURM_SETTINGS:
        if getattr(cluster, name):
            raise UsageError(f"{name} in [cluster] is for --on slurm; {advice}")


def split_words(text: str, setting: str) -> list[str]:
    """Split a command of the user into words.

    Raises:
        UsageError: a quotation mark is missing.
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{setting} in [cluster]: {str(error).lower()} in {text[:80]!r}") from error
