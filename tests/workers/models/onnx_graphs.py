"""Small ONNX files, written node by node."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

RNG = np.random.default_rng(3)
Sizes = tuple[int | str | None, ...]


def write_graph(
    path: Path,
    nodes: list[NodeProto],
    inputs: Mapping[str, tuple[str, Sizes]],
    weights: Mapping[str, object] | None = None,
    outputs: tuple[str, ...] = ("y",),
    made: str = "float32",
) -> Path:
    """Write a graph with these inputs, each a type and sizes, and these weights."""
    types = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "float16": TensorProto.FLOAT16}
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, types[dtype], sizes) for name, (dtype, sizes) in inputs.items()],
        [helper.make_tensor_value_info(name, types[made], None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, path)
    return path


def write_network(path: Path, batch: int | str | None = "batch", width: int = 8) -> Path:
    """Write two layers of six inputs with a weight of its own each."""
    nodes = [
        helper.make_node("Gemm", ["x", "first", "bias"], ["hidden"]),
        helper.make_node("Tanh", ["hidden"], ["active"]),
        helper.make_node("MatMul", ["active", "second"], ["y"]),
    ]
    weights = {
        "first": RNG.standard_normal((6, width)).astype(np.float32),
        "bias": RNG.standard_normal(width).astype(np.float32),
        "second": RNG.standard_normal((width, 5)).astype(np.float32),
    }
    return write_graph(path, nodes, {"x": ("float32", (batch, 6))}, weights)
