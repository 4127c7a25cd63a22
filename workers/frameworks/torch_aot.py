"""PyTorch ahead of time: torch.export captures the graph, and AOTInductor compiles it into a library."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from workers.errors import Unsupported
from workers.frameworks.torch_compile import require_compiler
from workers.frameworks.torch_flat import FlatModule, has_nested_outputs
from workers.frameworks.torch_mode import Call, Modes, Subject


def export_forward(subject: Subject) -> Any:
    """Export the forward graph, with every axis open whose size the inputs decide.

    Raises:
        Unsupported: the graph would hold for the example's sizes only, or the task needs gradients.
    """
    subject.require_forward("AOTInductor packages the forward graph alone, and gradients need a backward graph")
    require_compiler()
    return capture_forward(subject)


def capture_forward(subject: Subject) -> Any:
    """Capture the forward graph, with every axis open whose size the inputs decide.

    Raises:
        Unsupported: the graph would hold for the example's sizes only.
    """
    axes = list_open_axes(subject)
    try:
        # A module that takes any number of tensors has one argument for all of them.
        return export_module(subject.model, subject, axes if any(axes) else None)
    except Exception:  # torch.export raises errors of any kind
        if not has_nested_outputs(subject.model, subject.example):
            raise
    return export_module(FlatModule(subject.model), subject, {"inputs": tuple(axes)})


def export_module(module: Any, subject: Subject, dynamic_shapes: Any) -> Any:
    """Export a module that is called like the subject. `dynamic_shapes` has the form of that module's arguments.

    Raises:
        Unsupported: sizes of inputs, or their values, decide what the graph is.
    """
    from torch._dynamo.exc import UserError
    from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

    try:
        with keep_precision():
            return torch.export.export(module, subject.example, dynamic_shapes=dynamic_shapes)
    except (UserError, GuardOnDataDependentSymNode) as error:
        # With closed axes, a UserError is about the model's code and not about what is left open.
        if isinstance(error, UserError) and not any(list_open_axes(subject)):
            raise
        raise Unsupported(
            f"torch.export cannot leave open what the inputs decide: {summarise_capture(error)}"
        ) from error


@contextmanager
def keep_precision() -> Iterator[None]:
    """Restore the precision of cuDNN's operations, which torch.export resets."""
    kept = [(each, each.fp32_precision) for each in (torch.backends.cudnn.conv, torch.backends.cudnn.rnn)]
    try:
        yield
    finally:
        for backend, precision in kept:
            backend.fp32_precision = precision


def list_open_axes(subject: Subject) -> list[dict[int, Any]]:
    """List, for each input, the axes whose size the inputs decide."""
    return [
        {axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(shape) if size is None} for shape in subject.shapes
    ]


def summarise_capture(error: Exception) -> str:
    """Summarise a long error of a capture: the first item of its list, or else its first line."""
    # These messages fill a page; the cause is in the list or at the top.
    lines = [line.strip() for line in str(error).splitlines()]
    items = [line.strip(" -") for line in lines if line.startswith("- ")]
    return (items or lines)[0].partition(". ")[0]


def compile_package(program: Any) -> Any:
    return write_package(program, Path(tempfile.mkdtemp()) / "model.pt2")


def load_package(path: Any) -> Call:
    from torch._inductor import aoti_load_package

    return aoti_load_package(str(path))


def write_package(program: Any, path: Path) -> Any:
    """Compile a program and package the library. The file's name must end in .pt2."""
    from torch._inductor import aoti_compile_and_package

    return aoti_compile_and_package(program, package_path=str(path))


MODES: Modes = {"aot": (("trace", export_forward), ("compile", compile_package), ("load", load_package))}
