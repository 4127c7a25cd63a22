"""Export a PyTorch model as a program of ExecuTorch with its weights, lowered to XNNPACK where XNNPACK can run it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime

from workers.errors import Unsupported, summarise_error
from workers.frameworks.torch_aot import capture_forward
from workers.frameworks.torch_mode import Subject
from workers.interfaces import Shape

SUFFIX = ".pte"


def export(model: Any, example: tuple[Any, ...], shapes: Sequence[Shape], path: Path) -> None:
    """Export a model with dynamic axes wherever a size in `shapes` is None.

    Raises:
        Unsupported: torch.export cannot capture this model, or ExecuTorch has no operation for a part of it.
    """
    # XNNPACK's lowering refuses kernels that are not in NCHW, and orders them anew itself.
    for each in (*model.parameters(), *model.buffers()):
        each.data = each.data.contiguous()
    captured = capture_forward(Subject(model, "forward", example, shapes))
    try:
        lowered = to_edge_transform_and_lower(captured, partitioner=[XnnpackPartitioner()]).to_executorch()
    except Exception as error:  # its passes raise errors of any kind, wrapped in a plain Exception
        raise Unsupported(f"ExecuTorch cannot lower it: {summarise_error(error.__cause__ or error)}") from error
    if missing := list_missing_kernels(lowered.executorch_program):
        raise Unsupported(f"ExecuTorch's runtime has no kernel for {', '.join(missing)}")
    path.write_bytes(lowered.buffer)


def list_missing_kernels(program: Any) -> list[str]:
    """List the operators of a program that the runtime lacks: loading it would fail with a number and no name."""
    operators = [each for plan in program.execution_plan for each in plan.operators]
    names = [f"{each.name}.{each.overload}" if each.overload else each.name for each in operators]
    return sorted({*names} - Runtime.get().operator_registry.operator_names)
