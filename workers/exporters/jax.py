"""Export a JAX model as StableHLO with its weights as constants, by jax.export."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from workers.frameworks.jax_saved import export_program
from workers.interfaces import Shape

SUFFIX = ".mlir"


def export(model: Any, example: tuple[Any, ...], shapes: Sequence[Shape], path: Path) -> None:
    """Export a model with symbolic axes wherever a size in `shapes` is None.

    Raises:
        Unsupported: JAX cannot leave an axis open.
    """

    # No weights among the arguments: a runtime then folds what depends on them alone.
    def compute(_weights: Any, _running: Any, *inputs: Any) -> tuple[Any, ...]:
        return tuple(model.forward(model.weights, model.running, *inputs))

    # An input that the model does not use stays an argument, so that callers need not know.
    exported = export_program(jax.jit(compute, keep_unused=True), {}, {}, example, shapes)
    path.write_text(exported.mlir_module())
