"""Jitted functions as files: StableHLO by jax.export, with the weights that are the function's arguments."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from workers.errors import Unsupported, summarise_error
from workers.interfaces import Shape

Tree = dict[str, Any]


def export_program(function: Any, weights: Tree, running: Tree, example: Sequence[Any], shapes: Sequence[Shape]) -> Any:
    """Export a function for inputs of these shapes, with every axis open whose size the inputs decide.

    Raises:
        Unsupported: an axis cannot be left open.
    """
    names = [
        ", ".join(f"i{place}a{axis}" if size is None else str(size) for axis, size in enumerate(shape))
        for place, shape in enumerate(shapes)
    ]
    # Symbols of different scopes cannot meet in one expression.
    scope = export.SymbolicScope()
    known = [
        jax.ShapeDtypeStruct(export.symbolic_shape(name, scope=scope) if name else (), value.dtype)
        for name, value in zip(names, example, strict=True)
    ]
    trees = jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype), (weights, running))
    try:
        return export.export(function)(*trees, *known)
    except Exception as error:  # tracing raises errors of any kind
        if not any(None in shape for shape in shapes):
            raise
        raise Unsupported(f"jax.export cannot leave open what the inputs decide: {summarise_error(error)}") from error


def write_program(exported: Any, weights: Tree, running: Tree, path: Path) -> None:
    """Write the program and the weights into one file."""
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("program", bytes(exported.serialize()))
        for kind, tree in (("weights", weights), ("running", running)):
            raw = io.BytesIO()
            # Arrays alone: a pickle would run code when it is read.
            np.savez(raw, allow_pickle=False, **{name: np.asarray(array) for name, array in tree.items()})
            packed.writestr(f"{kind}.npz", raw.getvalue())


def read_program(path: Path) -> tuple[Any, Tree, Tree]:
    """Read the program, jitted, and the weights."""
    with zipfile.ZipFile(path) as packed:
        # Jitted below, so that calls take the same path as those of a program that was not saved.
        called = export.deserialize(bytearray(packed.read("program"))).call
        trees = [np.load(io.BytesIO(packed.read(f"{kind}.npz"))) for kind in ("weights", "running")]
    weights, running = ({name: jnp.array(tree[name]) for name in tree.files} for tree in trees)
    return jax.jit(called), weights, running
