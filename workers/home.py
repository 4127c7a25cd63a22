"""Where a job's workload is at home: among ours, in a package that is installed, or in a user's folder.

A folder becomes a package here, of one name whatever its own: so its files import each other with a dot, `import torch`
in its `torch.py` is PyTorch, and a compiler finds the source of what it compiles.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from schemas.code import Unreadable, hashed
from schemas.job import JobSpec

PACKAGE = "plumbline_workload"


class CodeChanged(Exception):
    """A workload's code is not what it was when its sweep was planned."""


class Uncached(SourceFileLoader):
    """Compiles each file anew: bytecode that is kept beside it is told from stale by whole seconds alone."""

    def path_stats(self, path: str) -> Mapping[str, Any]:  # noqa: ARG002 (as it is called)
        """Nothing is known of a file that bytecode could be held against: so none is read, and none written."""
        raise OSError


def package_of(spec: JobSpec) -> str:
    """The package of a job's workload, from which its files can be imported; empty: it is one of ours.

    Raises:
        CodeChanged: it is not, or no longer, the code that the sweep was planned with.
        Exception: whatever a user's `__init__.py` raises.
    """
    check(spec)
    if spec.folder and PACKAGE not in sys.modules:
        settle(Path(spec.folder))
    return PACKAGE if spec.folder else spec.package


def check(spec: JobSpec) -> None:
    """See that the code is that of the cell.

    Raises:
        CodeChanged: it is not.
    """
    home = folder_of(spec)
    if home is None:
        return
    try:
        found = hashed(home)
    except Unreadable as error:
        raise CodeChanged(str(error)) from error
    if found != spec.cell.code:
        raise CodeChanged(f"the code in {home} was changed after this sweep had been planned; start a new sweep")


def folder_of(spec: JobSpec) -> Path | None:
    """The folder of a workload that is not ours."""
    if not spec.package:
        return Path(spec.folder) if spec.folder else None
    found = importlib.util.find_spec(spec.package)
    if found is None or not found.submodule_search_locations:
        raise CodeChanged(f"there is no package {spec.package} in this environment; install its distribution here too")
    return Path(next(iter(found.submodule_search_locations)))


def settle(folder: Path) -> ModuleType:
    """Make a package of a folder. What is in it, and below it, is compiled anew."""
    sys.path_hooks.insert(0, finder_in(folder))
    script = folder / "__init__.py"
    spec = ModuleSpec(PACKAGE, Uncached(PACKAGE, str(script)) if script.is_file() else None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    spec.origin = str(script) if script.is_file() else None
    package = sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    if spec.loader is not None:
        spec.loader.exec_module(package)
    return package


def finder_in(folder: Path) -> Callable[[str], FileFinder]:
    """A hook for `sys.path_hooks` that finds modules in this folder and below, and nowhere else."""

    def hook(path: str) -> FileFinder:
        if not Path(path).is_relative_to(folder):
            raise ImportError(path)
        return FileFinder(path, (Uncached, SOURCE_SUFFIXES))

    return hook
