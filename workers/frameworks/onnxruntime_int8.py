"""Models of ONNX in 8 bits, by ONNX Runtime's own quantisation."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import CalibrationDataReader, quantize_dynamic, quantize_static

from workers.errors import Unsupported
from workers.process.cpu_instructions import has_exact_products

STATIC = "int8-static"
# Operators of the graphs that quantisation makes, where a product is computed in 8 bits.
INTEGER_OPERATORS = ("MatMulInteger", "ConvInteger", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul")
SURROUNDED_OPERATORS = ("MatMul", "Gemm", "Conv")


class DrawnInputs(CalibrationDataReader):
    """The drawn inputs of a cell, one set after another, by the names of a graph's inputs."""

    def __init__(self, names: Sequence[str], input_sets: Sequence[tuple[Any, ...]]) -> None:
        self._left: Iterator[tuple[Any, ...]] = iter(input_sets)
        self._names = names

    def get_next(self) -> dict[str, Any] | None:
        """Return the next set; None after the last one."""
        values = next(self._left, None)
        return None if values is None else dict(zip(self._names, values, strict=True))


def quantise_file(source: Path, mode: str, input_sets: Sequence[tuple[Any, ...]]) -> Path:
    """Write the file of a model in 8 bits, and return its path.

    Raises:
        Unsupported: nothing in the model can be computed in 8 bits.
    """
    path = Path(tempfile.mkdtemp(), "int8.onnx")
    reduced = not has_exact_products()
    if mode == STATIC:
        model = onnx.load(source, load_external_data=False)
        constants = {each.name for each in model.graph.initializer}
        names = [each.name for each in model.graph.input if each.name not in constants]
        quantize_static(source, path, DrawnInputs(names, input_sets), reduce_range=reduced)
    else:
        quantize_dynamic(source, path, reduce_range=reduced)
    if not count_integer_operators(path):
        raise Unsupported("it has no product that ONNX Runtime computes in 8 bits; choose onnxruntime:session")
    return path


def count_operators(path: Path) -> dict[str, str]:
    """Return for the record how many products of a graph are in 8 bits, and in how many bits its weights are."""
    found, nodes = count_integer_operators(path), onnx.load(path).graph.node
    plain = sum(node.op_type in SURROUNDED_OPERATORS for node in nodes)
    in_8_bits = sum(found.values())
    every = in_8_bits + (0 if set(found) & set(SURROUNDED_OPERATORS) else plain)
    return {"products in 8 bits": f"{in_8_bits} of {every}", "bits of a weight": "8" if has_exact_products() else "7"}


def count_integer_operators(path: Path) -> Counter[str]:
    """Count the products of a graph in 8 bits, by operator: integer ones, and those between conversions."""
    nodes = onnx.load(path).graph.node
    dequantised = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    return Counter(
        node.op_type
        for node in nodes
        if node.op_type in INTEGER_OPERATORS
        or (node.op_type in SURROUNDED_OPERATORS and {*node.input[:2]} <= dequantised)
    )
