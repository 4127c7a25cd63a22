"""Writes the folder of a new workload: a small model that runs as it is, in files that say what belongs in them.

They lie beside this one under `files`, each as a text, with $name and $folder where those of the new workload come.
"""

import re
import shlex
from importlib import resources
from pathlib import Path
from string import Template

from orchestrator.errors import UsageError
from orchestrator.workloads import known
from schemas.catalog import NAME


def write(name: str, at: Path) -> Path:
    """Write the folder of a workload of this name in another folder.

    Raises:
        UsageError: the name cannot be, or is taken, or the folder is there already or cannot be written.
    """
    if not re.fullmatch(NAME, name):
        raise UsageError(f"{name!r} is no name of a workload: a-z, 0-9, _ and -, beginning with a letter")
    if name in known():
        raise UsageError(f"there is a workload {name} already; choose another name")
    folder = at.joinpath(name)
    try:
        folder.mkdir(parents=True)
        for template in resources.files(__name__).joinpath("files").iterdir():
            text = Template(template.read_text()).substitute(name=name, folder=shown(folder))
            folder.joinpath(template.name.removesuffix(".txt")).write_text(text)
    except FileExistsError as error:
        raise UsageError(f"{folder} is there already, and nothing was written; choose another name or --at") from error
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}; choose a folder with --at") from error
    return folder


def told(folder: Path) -> str:
    """What there is now, and in the last line how it is measured."""
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    return f"Wrote {folder}: {files}.\nIt runs as it is:\npython -m orchestrator sweep --workload {shown(folder)}"


def shown(folder: Path) -> str:
    """The folder as a command names it: with a separator, or it could be the name of a workload."""
    return shlex.quote(str(folder) if folder.is_absolute() else f"./{folder}")
