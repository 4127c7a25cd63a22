"""Settings of `[cluster]` that engines have in common."""

import shlex
from typing import Final

from orchestrator.errors import UsageError
from schemas.cluster import Cluster

# Settings that mean something to Slurm alone.
SLURM_SETTINGS: Final = ("partition", "constraint", "account", "time", "sbatch")


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
