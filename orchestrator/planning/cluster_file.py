"""The user's file of machines: settings of `[cluster]` for all sweeps, which a sweep file and options override."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from orchestrator.errors import UsageError
from orchestrator.files.toml import load_model, read_toml
from schemas.cluster import Cluster


def find_cluster_file() -> Path:
    """Return the path of the user's file, which need not exist."""
    return platformdirs.user_config_path("plumbline").joinpath("cluster.toml")


def add_user_cluster(said: dict[str, Any], path: Path | None = None) -> None:
    """Add the user's settings to the data of a sweep that runs on other machines. The file alone starts nothing.

    Raises:
        UsageError: the file is invalid, or `--nodes` stands alone.
    """
    cluster, source = said.get("cluster"), path or find_cluster_file()
    if not isinstance(cluster, Mapping):
        return
    if not cluster.get("on"):
        if "nodes" in cluster and set(cluster) <= {"nodes"}:
            raise UsageError("--nodes is for --on; add --on slurm, or --on 'ssh {node} {command}'")
        return
    if source.is_file():
        load_model(source, Cluster)
        said["cluster"] = {**read_toml(source), **cluster}
