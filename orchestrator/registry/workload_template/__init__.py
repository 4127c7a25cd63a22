"""Template of a new workload: a small model that runs as it is, in files that say what belongs in them.

The text files in `files` are its parts, with $name and $folder in place of the new workload's name and folder.
"""

import re
import shlex
from importlib import resources
from pathlib import Path
from string import Template

from orchestrator.errors import UsageError
from orchestrator.registry.workloads import load_workloads
from schemas.catalog import NAME


def write_template(name: str, at: Path) -> Path:
    """Write the folder of a workload of this name into another folder.

    Raises:
        UsageError: the name is invalid or taken, or the folder exists or cannot be written.
    """
    if not re.fullmatch(NAME, name):
        raise UsageError(f"{name!r} is not a valid name of a workload: use a-z, 0-9, _ and -, beginning with a letter")
    if name in load_workloads():
        raise UsageError(f"a workload {name} already exists; choose another name")
    folder = at.joinpath(name)
    try:
        folder.mkdir(parents=True)
        for template in resources.files(__name__).joinpath("files").iterdir():
            text = Template(template.read_text()).substitute(name=name, folder=quote_folder(folder))
            folder.joinpath(template.name.removesuffix(".txt")).write_text(text)
    except FileExistsError as error:
        raise UsageError(f"{folder} already exists, and nothing was written; choose another name or --at") from error
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}; choose another folder with --at") from error
    return folder


def describe_written(folder: Path) -> str:
    """Describe what was written; the last line is the command that measures it."""
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    return (
        f"Wrote {folder}: {files}.\nIt runs as it is:\npython -m orchestrator sweep --workload {quote_folder(folder)}"
    )


def quote_folder(folder: Path) -> str:
    """Quote a folder for a command, with a separator: a bare name could be that of a workload."""
    return shlex.quote(str(folder) if folder.is_absolute() else f"./{folder}")
