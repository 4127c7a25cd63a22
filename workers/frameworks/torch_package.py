"""Packages of AOTInductor in users' files: found out about without loading them, and loaded as their users do it."""

import json
import platform
import sys
import zipfile
from collections.abc import Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

from torch.utils import _pytree as pytree

from schemas.job import Device
from schemas.model_files import LIBRARIES, list_members
from schemas.models import ModelSource
from workers.errors import Malformed, Unsupported, is_out_of_memory
from workers.frameworks.torch_mode import Call

# The name of the model in a package that has one, unless its writer has chosen another.
DEFAULT_MODEL = "model"


def load_package(source: ModelSource, device: Device) -> Call:
    """Load a model of a package; the call takes the tensors among the inputs of the program in its order.

    Raises:
        Malformed: it cannot be loaded, or does not have this model.
        Unsupported: it is compiled for another device or machine.
    """
    from torch._inductor.package import load_package as load_archive

    name = choose_model(source)
    check_target(source, read_target(source, name), device)
    try:
        package = load_archive(source.file, name)
    except Exception as error:  # whatever a damaged archive leads to
        if is_out_of_memory(error):
            raise
        raise Malformed(f"{source.title} cannot be loaded: {read_first_line(error)}") from error
    return arrange_call(package)


def arrange_call(package: Any) -> Call:
    """Return the call of a package that takes tensors alone. Most are called with them as they are."""
    form = pytree.treespec_loads(package.loader.get_call_spec()[0])
    number = form.num_leaves
    if not pytree.tree_unflatten([*range(number)], form)[1]:
        return package  # it finds the tensors in any arrangement

    def call_arranged(*tensors: Any) -> Any:
        # Numbers of the exported call are part of the library, and what stands for them is ignored.
        arguments, named = pytree.tree_unflatten([*tensors, *repeat(None, number - len(tensors))], form)
        return package(*arguments, **named)

    return call_arranged


def choose_model(source: ModelSource) -> str:
    """Return the model of a package that its user names, or the only one.

    Raises:
        Malformed: there is no such model, or there are several and none is named.
    """
    inside = (name.removeprefix(LIBRARIES) for name in list_members(Path(source.file)) if name.startswith(LIBRARIES))
    names = sorted({name.partition("/")[0] for name in inside})
    if source.attribute in names or (not source.attribute and len(names) == 1):
        return source.attribute or names[0]
    if not source.attribute and DEFAULT_MODEL in names:
        return DEFAULT_MODEL
    place = Path(source.file).name
    said = f"no model {source.attribute}" if source.attribute else f"{len(names)} models"
    raise Malformed(f"{place} has {said}; name one of {', '.join(names)}, as in --model {place}:{names[0]}")


def read_member(source: ModelSource, model: str, ending: str) -> bytes | None:
    """Read the first member of a model in a package whose name ends so; None if there is none.

    Raises:
        Malformed: the archive is damaged.
    """
    try:
        with zipfile.ZipFile(source.file) as whole:
            found = (name for name in whole.namelist() if f"/{LIBRARIES}{model}/" in name and name.endswith(ending))
            name = next(found, None)
            return None if name is None else whole.read(name)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise Malformed(f"{source.title} is damaged: {error}") from error


def read_target(source: ModelSource, model: str) -> dict[str, str]:
    """Return what a package says it is compiled for; nothing if it does not say."""
    said = read_member(source, model, "wrapper_metadata.json")
    try:
        return dict(json.loads(said)) if said else {}
    except ValueError as error:
        raise Malformed(f"{source.title} is damaged: {error}") from error


def check_target(source: ModelSource, target: Mapping[str, str], device: Device) -> None:
    """Check that a package is compiled for this device and this kind of machine.

    Raises:
        Unsupported: it is not.
    """
    due = {"AOTI_DEVICE_KEY": device, "AOTI_PLATFORM": sys.platform, "AOTI_MACHINE": platform.machine()}
    found = {name: target.get(name) or here for name, here in due.items()}
    if found != due:
        compiled, here = (" ".join(each.values()) for each in (found, due))
        raise Unsupported(
            f"{source.title} is compiled for {compiled}, and this is {here}; compile it for that, or choose another "
            "--device"
        )


def read_first_line(error: BaseException) -> str:
    """Return the first line of a message of PyTorch, which continues with frames of C++."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
