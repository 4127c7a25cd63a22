"""Export a PyTorch model as a program of ExecuTorch with its weights, lowered to XNNPACK where XNNPACK can run it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower

from workers.frameworks.torch_aot import capture_forward
from workers.frameworks.torch_mode import Subject
from workers.interfaces import Shape

SUFFIX = ".pte"


def export(model: Any, example: tuple[Any, ...], shapes: Sequence[Shape], path: Path) -> None:
    """Export a model with dynamic axes wherever a size in `shapes` is None.

    Raises:
        Unsupported: torch.export cannot capture this model.
    """
    captured = capture_forward(Subject(model, "forward", example, shapes))
    lowered = to_edge_transform_and_lower(captured, partitioner=[XnnpackPartitioner()])
    path.write_bytes(lowered.to_executorch().buffer)
