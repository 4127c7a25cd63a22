"""Registry of workloads: those of the catalog, those that installed distributions add, and a user's folders.

A distribution adds one by an entry point of the group `plumbline.workloads`. It loads to a catalog entry, a
`schemas.workloads.Workload` whose `module` is the package with `reference.py` and the implementations. The entry's
own module must not import a framework. A folder is named by its path, and only its `workload.toml` is read. A
workload's code runs in workers, never here.
"""

import dataclasses
import functools
import importlib.util
import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from orchestrator.errors import UsageError, check_utf8, unknown_name_error
from orchestrator.files.toml import find_line, load_model, read_limited_text
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.plugins import merge_entries
from schemas.catalog import NAME, Framework
from schemas.code import WORKLOAD_FILE, UnreadableCode, hash_workload_code
from schemas.workloads import WORKLOADS, Parameter, Workload, WorkloadFile

WORKLOAD_GROUP = "plumbline.workloads"
REFERENCE = "reference"
TEMPLATE_ADVICE = "`python -m orchestrator new-workload NAME` writes a complete one"


@functools.cache
def load_workloads() -> Mapping[str, Workload]:
    """Return every workload by name: the catalog's first, then the installed ones."""
    return merge_workloads(metadata.entry_points(group=WORKLOAD_GROUP))


def merge_workloads(points: Iterable[metadata.EntryPoint]) -> Mapping[str, Workload]:
    """Merge the catalog's workloads with those of these entry points, in the order of their names.

    Raises:
        UsageError: an entry is not a workload, or its name is taken.
    """
    return merge_entries(WORKLOADS, points, Workload)


def resolve_workloads(
    texts: Iterable[str], models: Mapping[str, Workload] = MappingProxyType({}), *, together: bool = False
) -> dict[str, Workload]:
    """Resolve the workloads of these texts, by the name or path that stands before the parameters.

    `models` are a user's models as they are, by name. Folders of one name are variants of one workload, which are
    compared with each other. With `together`, all folders are.

    Raises:
        UsageError: a workload or folder does not exist, or is invalid.
    """
    heads = dict.fromkeys(text.partition(":")[0] for text in texts)
    found = {head: models[head] if head in models else resolve_workload(head) for head in heads}
    alike: dict[str, dict[str, Workload]] = {}
    for head, workload in found.items():
        if workload.source_dir and workload.model is None:
            alike.setdefault("" if together else workload.name, {})[head] = workload
    for group in alike.values():
        found |= make_variants(group)
    return found


def make_variants(folders: Mapping[str, Workload]) -> dict[str, Workload]:
    """Return the workloads of several folders as variants of the first one; a single folder stays as it is."""
    places = list(dict.fromkeys(workload.source_dir for workload in folders.values()))
    if len(places) < 2:
        return {}
    names, (first, *_) = dict(zip(places, name_variants(places), strict=True)), folders.values()
    return {
        head: workload.model_copy(update={"name": names[workload.source_dir], "variant_of": first.name})
        for head, workload in folders.items()
    }


def name_variants(places: Sequence[str]) -> list[str]:
    """Name folders by the parts of their paths that differ, in the characters of a workload's name."""
    parts = [Path(place).parts for place in places]
    start, end = count_common_parts(parts), count_common_parts([each[::-1] for each in parts])
    texts = ["-".join(each[start : len(each) - end]).lower() for each in parts]
    names = [re.sub(r"^[^a-z]+", "", re.sub(r"[^a-z0-9_-]", "-", text)) for text in texts]
    # Version 1 and version 2 have names without a letter; a folder within the other one has no part that differs.
    usable = all(names) and len({*names}) == len(names)
    return names if usable else [f"v{number}" for number in range(1, len(places) + 1)]


def count_common_parts(paths: Sequence[Sequence[str]]) -> int:
    """Count the first parts that are the same in all paths."""
    return sum(1 for _ in itertools.takewhile(lambda each: len({*each}) == 1, zip(*paths, strict=False)))


def resolve_workload(head: str) -> Workload:
    """Resolve one workload from a name or a folder."""
    if is_path(head, Path.cwd()):
        return load_workload_folder(Path(head))
    if head not in load_workloads():
        raise unknown_name_error("workload", head, load_workloads())
    workload = load_workloads()[head]
    source_dir = find_source_dir(workload)
    return workload.model_copy(update={"code": hash_workload(source_dir)}) if source_dir else workload


def is_path(head: str, beside: Path) -> bool:
    """Return True if a text names a folder, seen from another: it has a separator, or is one and no known name."""
    return bool(head) and head not in load_workloads() and (os.sep in head or is_folder(beside.joinpath(head)))


def is_folder(path: Path) -> bool:
    """Return True if a folder exists; False also for a name that no folder can have."""
    try:
        return path.is_dir()
    except OSError:
        return False


def to_absolute_workload(text: str, beside: Path) -> str:
    """Make the path that names a workload absolute, as seen from this folder; leave a name alone."""
    head, colon, given = text.partition(":")
    return f"{beside.joinpath(Path(head).expanduser()).resolve()}{colon}{given}" if is_path(head, beside) else text


def resolve_workload_paths(said: dict[str, Any], beside: Path) -> dict[str, Any]:
    """Make the paths of workloads in a sweep file absolute, so that it can be resumed from anywhere."""
    axes = said.get("axes", {})
    if "workloads" in axes:
        axes["workloads"] = [to_absolute_workload(text, beside) for text in axes["workloads"]]
    for pick in (*said.get("exclude", ()), *said.get("include", ())):
        if pick.get("workload"):
            pick["workload"] = to_absolute_workload(pick["workload"], beside)
    return said


def load_workload_folder(path: Path) -> Workload:
    """Load the workload in a folder.

    Raises:
        UsageError: the folder, its `workload.toml` or its `reference.py` is missing, or their content is invalid.
    """
    folder = path.expanduser().resolve()
    if not is_folder(folder):
        raise UsageError(f"there is no folder {folder}; {TEMPLATE_ADVICE}")
    check_utf8(folder, "rename the folder")
    file, reference = folder.joinpath(WORKLOAD_FILE), folder.joinpath(f"{REFERENCE}.py")
    for needed in (file, reference):
        if not needed.is_file():
            raise UsageError(f"{folder} is not a workload: it has no {needed.name}; {TEMPLATE_ADVICE}")
    said = DeclaredWorkload(file, load_model(file, WorkloadFile))
    return Workload(
        name=said.check_name(),
        summary=said.content.summary,
        parameters=said.check_parameters(),
        presets=said.check_presets(),
        reference=said.check_reference(),
        weights=said.content.weights,
        loop=said.check_loop(),
        folder=str(folder),
        code=hash_workload(folder),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class DeclaredWorkload:
    """Content of a `workload.toml`, with checks beyond its schema."""

    file: Path
    content: WorkloadFile

    def check_name(self) -> str:
        """Return its name, or that of its folder."""
        name = self.content.name or self.file.parent.name
        if not re.fullmatch(NAME, name):
            raise UsageError(f"{self.file}: {name!r} is not a valid workload name; set a `name` of a-z, 0-9, _ and -")
        if name in load_workloads():
            raise UsageError(f"{self.file}: the workload {name} exists already; set another `name`")
        return name

    def check_parameters(self) -> tuple[Parameter, ...]:
        """Return its parameters."""
        for name, size in self.content.parameters.items():
            if size.default < size.minimum:
                raise self._make_error(
                    "parameters", name, "default", f"{size.default} is below its minimum, {size.minimum}"
                )
        return tuple(Parameter(name=name, **dict(size)) for name, size in self.content.parameters.items())

    def check_presets(self) -> dict[str, dict[str, int]]:
        """Return its presets."""
        sizes = self.content.parameters
        for preset, chosen in self.content.presets.items():
            if preset in sizes:
                raise self._make_error("presets", preset, "", "a parameter has this name already")
            for name, value in chosen.items():
                if name not in sizes:
                    raise self._make_error("presets", preset, name, str(unknown_name_error("parameter", name, sizes)))
                if value < sizes[name].minimum:
                    raise self._make_error(
                        "presets", preset, name, f"{value} is below its minimum, {sizes[name].minimum}"
                    )
        return self.content.presets

    def check_reference(self) -> str:
        """Return the framework whose implementation is the reference; empty: the functions of `reference.py`."""
        key = "weights" if self.content.weights else "reference"
        name = self.content.weights or self.content.reference
        if self.content.reference not in ("", name):
            raise self._make_error("weights", "", "", f"the reference is {self.content.reference}; name one of the two")
        # A framework that runs exported models or a borrowed implementation has none to refer to.
        able = [each.name for each in load_frameworks().values() if not each.exporter and not each.implementation]
        if name and name not in able:
            raise self._make_error(key, "", "", str(unknown_name_error("framework", name, able)))
        if name and not self.file.parent.joinpath(f"{name}.py").is_file():
            raise self._make_error(key, "", "", f"there is no {name}.py in {self.file.parent}")
        return name

    def check_loop(self) -> str:
        """Return the parameter that says how often a timed call calls the model; empty: once."""
        name, sizes = self.content.loop, self.content.parameters
        if name and name not in sizes:
            raise self._make_error("loop", "", "", str(unknown_name_error("parameter", name, sizes)))
        if name and not sizes[name].minimum:
            raise self._make_error("loop", "", "", f"{name} may be 0, but a loop calls its model; set its minimum to 1")
        return name

    def _make_error(self, table: str, name: str, key: str, why: str) -> UsageError:
        place = [step for step in (table, name, key) if step]
        return UsageError(f"{self.file}:{find_line(read_limited_text(self.file), place)}: {'.'.join(place)}: {why}")


def hash_workload(folder: Path) -> str:
    """Hash the code in a folder."""
    try:
        return hash_workload_code(folder)
    except UnreadableCode as error:
        raise UsageError(str(error)) from error


def find_source_dir(workload: Workload) -> Path | None:
    """Find the folder of a foreign workload; None for any other."""
    if not workload.package:
        return Path(workload.source_dir) if workload.source_dir else None
    try:
        # This may import the parent package, but not the workload's own code.
        found = importlib.util.find_spec(workload.package)
    except ImportError:
        found = None
    if found is None or not found.submodule_search_locations:
        raise UsageError(f"{workload.name}: there is no package {workload.package}; install its distribution again")
    return Path(next(iter(found.submodule_search_locations)))


def explain_missing_implementation(workload: Workload, framework: Framework) -> str:
    """Explain why a framework cannot run a foreign workload; empty if it may try, as it may try any other."""
    if workload.model is not None:
        native = bool(workload.model.kind) or workload.reference in (framework.name, framework.exporter)
        return "" if native else f"{workload.model.title} is a model of {workload.reference}, not of {framework.name}"
    source_dir = find_source_dir(workload)
    file = f"{framework.implementation or framework.exporter or framework.name}.py"
    if source_dir is None:
        return ""
    if framework.implementation == REFERENCE and workload.reference:
        return f"{workload.name} has no formulas in NumPy: its reference is {workload.reference} in float64"
    return "" if source_dir.joinpath(file).is_file() else f"{workload.name} has no {file}; write one in {source_dir}"
