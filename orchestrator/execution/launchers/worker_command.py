"""The command that starts a worker or a template, and its environment variables."""

import os
from collections.abc import Mapping
from pathlib import Path

from schemas.job import JobSpec

# Stands for the folder of a job's files in its variables.
FOLDER_PLACE = "{cache}"

# The file in it for results, which the judge reads.
RESULTS = "results.npy"

# The worker is started as a file: `-m` would put two more frames under every call, and TensorFlow's eager mode walks
# the stack of frames for each operation. It finds its own modules by this path, and none of them is in its sys.path.
WORKER = Path(__file__).resolve().parents[3].joinpath("workers", "start.py")

# A runtime that reports to its maker does so from a thread, beside what is timed. OpenVINO has no variable against it;
# `workers/start.py` keeps its module out.
NO_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}


def make_command(python: Path | None, *arguments: str) -> list[str]:
    """Return the command that starts a worker in this interpreter."""
    # -P: without it the script's folder would come first in sys.path.
    return [str(python), "-P", str(WORKER), *arguments]


def insert_folder(spec: JobSpec, folder: Path) -> JobSpec:
    """Return the spec for the worker, with the folder's path in its variables, and the file for its results."""
    placed = {name: text.replace(FOLDER_PLACE, str(folder)) for name, text in spec.variables.items()}
    return spec.model_copy(update={"variables": placed, "results": str(folder / RESULTS)})


def omit_folder(spec: JobSpec) -> JobSpec:
    """Return the spec without the variables that name the job's folder."""
    kept = {name: text for name, text in spec.variables.items() if FOLDER_PLACE not in text}
    return spec.model_copy(update={"variables": kept})


def make_variables(inherited: Mapping[str, str], spec: JobSpec) -> dict[str, str]:
    """Return the worker's environment variables: the user's, without those that change Python, plus the job's.

    The memory layout depends on the size of the environment and on the hash seed, and times depend on the layout. Both
    differ from job to job, so that no cell is always lucky (Mytkowicz et al., ASPLOS 2009).
    """
    # PYTHONDONTWRITEBYTECODE alone can add a second to each import of torch.
    kept = {name: value for name, value in inherited.items() if not name.startswith("PYTHON")}
    python = {"PYTHONHASHSEED": str(spec.hash_seed), "PYDANTIC_DISABLE_PLUGINS": "__all__"}
    ours = {"PLUMBLINE_PARENT": str(os.getpid()), "PLUMBLINE_PADDING": "x" * spec.padding_bytes}
    return kept | NO_TELEMETRY | dict(spec.variables) | python | ours
