"""Export a PyTorch model as an ONNX file with its weights, by torch.export."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.onnx import OnnxExporterError

from workers.errors import Unsupported, summarise_error
from workers.frameworks.torch_flat import FlatModule, has_nested_outputs
from workers.interfaces import Shape

SUFFIX = ".onnx"


def export(model: Any, example: tuple[Any, ...], shapes: Sequence[Shape], path: Path) -> None:
    """Export a model with dynamic axes wherever a size in `shapes` is None.

    Raises:
        Unsupported: PyTorch cannot export this model.
    """
    # Fail now if such an axis cannot be dynamic: a fixed size would fail in a measured process.
    dynamic = torch.export.Dim.DYNAMIC
    sizes = [{axis: dynamic for axis, size in enumerate(shape) if size is None} or None for shape in shapes]
    is_open, axes = any(sizes), tuple[Any, ...](sizes)
    if has_nested_outputs(model, example):
        model, axes = FlatModule(model), ((*axes,),)
    try:
        torch.onnx.export(
            model,
            example,
            path,
            dynamo=True,
            external_data=False,
            verbose=False,
            dynamic_shapes=axes if is_open else None,
        )
    except OnnxExporterError as error:
        wanted = "PyTorch cannot export it for inputs of any size" if is_open else "PyTorch cannot export it"
        raise Unsupported(f"{wanted}: {summarise_error(error.__cause__ or error)}") from error
