"""Settings of machines: the user's file of `[cluster]` for all sweeps, which a sweep file and options override."""

import re
from pathlib import Path
from typing import Any, Final

import platformdirs

from orchestrator.errors import UsageError
from orchestrator.files.toml import load_model, read_toml
from schemas.cluster import NODE_NAME_PATTERN, Cluster

SLURM: Final = "slurm"

# Settings that mean something to Slurm alone.
SLURM_SETTINGS: Final = ("partition", "constraint", "account", "time", "sbatch")

# No cluster has as many nodes.
NUMBER: Final = re.compile("[1-9][0-9]{0,8}")


def find_cluster_file() -> Path:
    """Return the path of the user's file, which need not exist."""
    return platformdirs.user_config_path("plumbline").joinpath("cluster.toml")


def add_user_cluster(said: dict[str, Any], path: Path | None = None) -> None:
    """Add the user's settings to the data of a sweep that runs on other machines. The file alone starts nothing.

    Those for Slurm are left out if the sweep is for another engine.

    Raises:
        UsageError: the file is invalid.
    """
    cluster, source = said["cluster"], path or find_cluster_file()
    if cluster.get("on") and source.is_file():
        load_model(source, Cluster)
        ignored = () if cluster["on"] == SLURM else SLURM_SETTINGS
        own = {name: value for name, value in read_toml(source).items() if name not in ignored}
        said["cluster"] = {**own, **cluster}


def parse_nodes(text: str) -> int | tuple[str, ...]:
    """Return the number of nodes, or their names.

    Raises:
        UsageError: it is neither.
    """
    names = tuple(name.strip() for name in text.split(","))
    if NUMBER.fullmatch(text):
        return int(text)
    if text.isdecimal() or not all(re.match(NODE_NAME_PATTERN, name) for name in names):
        raise UsageError(f"--nodes must be a number such as 4, or names such as n1,n2, not {text[:80]!r}")
    return names
