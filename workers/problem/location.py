"""The location of a job's workload: built in, in an installed package, or in a user's folder.

A folder becomes a package with a fixed name, whatever its own. So its files import each other with a dot, and `import
torch` in its `torch.py` is PyTorch. A compiler finds the source of the code that it compiles.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from schemas.code import UnreadableCode, hash_workload_code
from schemas.job import JobSpec
from schemas.model_code import hash_model_code

PACKAGE = "plumbline_workload"


class CodeChanged(Exception):
    """A workload's code differs from the code that its sweep was planned with."""


class UncachedLoader(SourceFileLoader):
    """A loader that compiles each file anew: the check for stale bytecode compares whole seconds only."""

    def path_stats(self, path: str) -> Mapping[str, Any]:  # noqa: ARG002 (importlib passes it)
        """Refuse the data that bytecode would be compared with, so that none is read and none written."""
        raise OSError


def resolve_package(spec: JobSpec) -> str:
    """Return the package from which the files of a job's workload can be imported; empty: it is built in.

    Raises:
        CodeChanged: it is not, or no longer, the code that the sweep was planned with.
        Exception: whatever a user's `__init__.py` raises.
    """
    check_code(spec)
    if spec.source_dir and PACKAGE not in sys.modules:
        register_package(Path(spec.source_dir))
    return PACKAGE if spec.source_dir else spec.package


def check_code(spec: JobSpec) -> None:
    """Check that the code is that of the cell.

    Raises:
        CodeChanged: it is not.
    """
    source_dir = find_source_dir(spec)
    try:
        if spec.model is not None:
            place, found = spec.model.title, hash_model_code(spec.model)
        elif source_dir is not None:
            place, found = str(source_dir), hash_workload_code(source_dir)
        else:
            return
    except UnreadableCode as error:
        raise CodeChanged(str(error)) from error
    if found != spec.cell.code:
        raise CodeChanged(f"the code in {place} has changed since this sweep was planned; start a new sweep")


def find_source_dir(spec: JobSpec) -> Path | None:
    """Return the folder of a workload that is not built in."""
    if not spec.package:
        return Path(spec.source_dir) if spec.source_dir else None
    found = importlib.util.find_spec(spec.package)
    if found is None or not found.submodule_search_locations:
        raise CodeChanged(f"the package {spec.package} is not in this environment; install its distribution here too")
    return Path(next(iter(found.submodule_search_locations)))


def register_package(source_dir: Path) -> ModuleType:
    """Register a folder as a package. The files in it, and below it, are compiled anew."""
    sys.path_hooks.insert(0, make_path_hook(source_dir))  # before Python's own hook, which uses bytecode
    script = source_dir / "__init__.py"
    spec = ModuleSpec(PACKAGE, UncachedLoader(PACKAGE, str(script)) if script.is_file() else None, is_package=True)
    spec.submodule_search_locations = [str(source_dir)]
    spec.origin = str(script) if script.is_file() else None
    package = sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    if spec.loader is not None:
        spec.loader.exec_module(package)
    return package


def make_path_hook(source_dir: Path) -> Callable[[str], FileFinder]:
    """Return a hook for `sys.path_hooks` that finds modules in this folder and below, and nowhere else."""

    def find_in_folder(path: str) -> FileFinder:
        if not Path(path).is_relative_to(source_dir):
            raise ImportError(path)
        return FileFinder(path, (UncachedLoader, SOURCE_SUFFIXES))

    return find_in_folder
