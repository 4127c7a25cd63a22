"""Reader of TOML files, the sweep file first. A mistake is reported with the file, the line and the key."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.environments.definitions import resolve_lock_paths
from orchestrator.errors import unknown_name_error
from orchestrator.files.toml import KeyPath, find_line, parse_toml, read_limited_text, validate_model
from orchestrator.planning.models import apply_models, resolve_model_folders
from schemas.sweep import SweepSpec
from schemas.workloads import SUITES


def load_sweep_file(path: Path) -> dict[str, Any]:
    """Load a sweep file and check it. The locks that it names are found from its folder.

    Raises:
        UsageError: it cannot be read, is not TOML, or describes an impossible sweep.
    """
    text = read_limited_text(path)
    said = resolve_model_folders(parse_toml(path, text), path.absolute().parent)
    validate_sweep(said, lambda place: f"{path}:{find_line(text, place)}: ")
    resolve_lock_paths(said, path)
    return said


def validate_sweep(said: Mapping[str, Any], where: Callable[[KeyPath], str] | None = None) -> SweepSpec:
    """Make a SweepSpec from the content of a file or of options.

    Raises:
        UsageError: a key does not exist, or its value is invalid.
    """
    return validate_model(SweepSpec, apply_models(apply_suite(said)), where)


def apply_suite(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Complete the content with that of the suite that it names.

    Raises:
        UsageError: this suite does not exist.
    """
    name = said.get("suite")
    if not isinstance(name, str):
        return said
    suites = {suite.name: suite for suite in SUITES}
    if name not in suites:
        raise unknown_name_error("suite", name, suites)
    suite = suites[name]
    own, stop = said.get("axes", {}), said.get("stop", {})
    if not isinstance(own, Mapping) or not isinstance(stop, Mapping):
        return said
    axes = {"frameworks": suite.frameworks, "workloads": suite.workloads, "tasks": suite.tasks, **own}
    return {**said, "axes": axes, "stop": {"budget": suite.budget, **stop}}
