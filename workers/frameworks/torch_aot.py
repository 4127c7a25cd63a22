"""PyTorch ahead of time: torch.export writes the graph down, AOTInductor makes a library of it, which is loaded."""

import tempfile
from pathlib import Path
from typing import Any

import torch

from workers.frameworks import Unsupported
from workers.frameworks.torch_compile import need_compiler
from workers.frameworks.torch_mode import Call, Modes, Subject


def export(subject: Subject) -> Any:
    """Write the graph down, with every axis open whose size the inputs decide.

    Raises:
        Unsupported: the graph would hold for the example's sizes only, or gradients are asked for.
    """
    from torch._dynamo.exc import UserError

    subject.forward_only("AOTInductor packages the forward graph alone: there is nothing in it to take gradients with")
    need_compiler()
    axes = [
        {axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(shape) if size is None} for shape in subject.shapes
    ]
    try:
        return torch.export.export(subject.model, subject.example, dynamic_shapes=axes)
    except UserError as error:
        if not any(axes):
            raise
        raise Unsupported(f"torch.export does not leave open what the inputs decide: {told(error)}") from error


def told(error: Exception) -> str:
    """What is wrong, out of the many lines of an error of torch.export: the first that is an item of a list."""
    items = [line.strip(" -") for line in str(error).splitlines() if line.strip().startswith("- ")]
    return (items or [str(error)])[0].partition(". ")[0]


def library(program: Any) -> Call:
    from torch._inductor import aoti_compile_and_package, aoti_load_package

    package = Path(tempfile.mkdtemp()) / "model.pt2"
    return aoti_load_package(aoti_compile_and_package(program, package_path=str(package)))


MODES: Modes = {"aot": (("trace", export), ("compile", library))}
