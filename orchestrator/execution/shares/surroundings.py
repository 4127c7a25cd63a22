"""The surroundings of a share on its node: variables, GPUs, and the folder of its environments."""

import os
import re
import stat
from collections.abc import Collection, MutableMapping, Sequence
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.machine.fingerprint import list_gpus

# Variables of schedulers and launchers, and those by which a site sets threads for its own programs.
LAUNCHER_VARIABLE: Final = re.compile(
    r"(?:SLURM|SLURMD|SBATCH|SRUN|SALLOC|SQUEUE|SINFO|SCANCEL|PBS|LSB|LSF|SGE|COBALT|FLUX|PMI|PMI2|PMIX|PRTE|OMPI|MPI"
    r"|HYDRA|I_MPI|KUBERNETES|OMP|GOMP|KMP|MKL|OPENBLAS|GOTO|BLIS|VECLIB|NUMEXPR|TF_NUM)_\w+"
)
HOME_VARIABLE: Final = "PLUMBLINE_HOME"
GPUS_VARIABLE: Final = "CUDA_VISIBLE_DEVICES"
# A disk of the node itself, which outlives a reboot: environments take minutes to make.
LOCAL_DISK: Final = Path("/var/tmp")  # noqa: S108 (the folder in it is checked)


def clear_variables(variables: MutableMapping[str, str], keep: Collection[str]) -> None:
    """Remove the variables of launchers and of the site, which would reach the workers, except those to keep."""
    for name in [name for name in variables if LAUNCHER_VARIABLE.fullmatch(name) and name not in keep]:
        del variables[name]


def hide_gpus(variables: MutableMapping[str, str], asked: int | None, found: Sequence[str] | None = None) -> None:
    """Hide GPUs beyond those that a share asks for: an exclusive node shows all that it has.

    Raises:
        UsageError: there are fewer.
    """
    if asked is None:
        return
    given = variables.get(GPUS_VARIABLE)
    every = [str(number) for number, _ in enumerate(list_gpus() if found is None else found)]
    seen = every if given is None else [name for name in given.split(",") if name.strip() and name != "-1"]
    if len(seen) < asked:
        raise UsageError(f"this node shows {len(seen)} GPUs, and its share asks for {asked}; ask for fewer")
    variables[GPUS_VARIABLE] = ",".join(seen[:asked])


def choose_home(variables: MutableMapping[str, str], home: str, disk: Path = LOCAL_DISK) -> None:
    """Choose the folder of the node's environments: as asked, as set on the node, or a private one on its disk.

    Raises:
        UsageError: the private one belongs to somebody else.
    """
    if home:
        variables[HOME_VARIABLE] = home
    elif HOME_VARIABLE not in variables:
        variables[HOME_VARIABLE] = str(make_private_folder(disk.joinpath(f"plumbline-{os.getuid()}")))


def make_private_folder(folder: Path) -> Path:
    """Make a folder that nobody else can write to, or check that it is one.

    Programs are run from it, and anybody may make a folder of this name first.

    Raises:
        UsageError: it is not private, or cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}; set home in [cluster]") from error
    is_private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    if not is_private:
        raise UsageError(f"{folder} is not a private folder of this user; remove it, or set home in [cluster]")
    return folder
