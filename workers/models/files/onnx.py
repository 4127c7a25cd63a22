"""ONNX files: their signature, their results without optimisations, and their results in float64."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_model, uses_external_data
from onnx.reference import ReferenceEvaluator

from schemas.job import Cell, Dtype
from schemas.models import InputSignature, ModelSource
from workers.arrays import Array
from workers.errors import Malformed, Unsupported, summarise_error
from workers.interfaces import Step
from workers.models.files.adapter import FileAdapter
from workers.models.files.onnx_double import FLOATS, widen_model
from workers.models.files.onnxruntime_literal import open_session, summarise_runtime_error

# What such operations compute depends on roundings that differ between right implementations.
COARSE_TYPES = {*FLOATS} - {TensorProto.FLOAT, TensorProto.DOUBLE}
QUANTISED = ("Quantize", "Dequantize", "QLinear", "MatMulInteger", "ConvInteger", "QGemm", "DynamicQuant")

# The products that are summed in one number of a result, by the shapes of the first two inputs.
TERMS: Mapping[str, Callable[[Sequence[int], Sequence[int]], int]] = {
    "Conv": lambda _, kernel: math.prod(kernel[1:]),
    "MatMul": lambda left, _: left[-1],
    "Gemm": lambda left, right: min(each for each in left if each in right),
}


class Adapter(FileAdapter):
    """An ONNX file whose results are computed by ONNX Runtime as it is written, or by ONNX's own evaluator."""

    @cached_property
    def _model(self) -> ModelProto:
        return read_model(self._source)

    def list_inputs(self) -> list[InputSignature]:
        """Return the inputs of the graph without those that have a value in the file."""
        return [describe_value(self._source, each) for each in list_open_inputs(self._model)]

    @property
    def coarse(self) -> bool:  # type: ignore[override]
        """Return whether the file computes with less than float32."""
        nodes = {node.op_type for node in self._model.graph.node}
        types = {each.data_type for each in self._model.graph.initializer}
        return bool(types & COARSE_TYPES) or any(node.startswith(QUANTISED) for node in nodes)

    def make_step(self, dtype: Dtype) -> Step:
        """Return a call of the graph as it is written, or of its copy in float64."""
        if dtype != "float64":
            return make_literal_step(Path(self._source.file), self._model, self.dtypes)
        floats = ["float64" if name.startswith(("float", "bfloat")) else name for name in self.dtypes]
        wide = widen_model(self._model)
        return make_literal_step(wide.SerializeToString(), wide, floats)

    def name_random(self) -> str:
        """Return the operations that draw random numbers, in parentheses."""
        kinds = {node.op_type for node in self._model.graph.node if "Random" in node.op_type}
        return f" ({', '.join(sorted(kinds))})" if kinds else ""

    def count_flops(self, coefficients: Sequence[Array]) -> int:  # noqa: ARG002 (a graph has no loss)
        """Count the operations of matrix products and convolutions in one call."""
        return count_flops(self._model, self._example)


def make_adapter(source: ModelSource, cell: Cell, seed: int) -> Adapter:
    """Adapt an ONNX file."""
    return Adapter(source, cell, seed)


def read_model(source: ModelSource) -> ModelProto:
    """Read an ONNX file with the weights stored beside it.

    Raises:
        Malformed: it is corrupt, or lacks the file of its weights.
    """
    try:
        model = onnx.load(source.file, load_external_data=False)
    except Exception as error:  # protobuf's errors have no common type
        raise Malformed(f"{source.title} is corrupt, or not an ONNX model: {summarise_error(error)}") from error
    if missing := next(list_missing_files(model, Path(source.folder)), ""):
        raise Malformed(f"{source.title} lacks its weights: there is no file {missing} in {source.folder}")
    load_external_data_for_model(model, source.folder)
    if not model.graph.output:
        raise Malformed(f"{source.title} has no graph with outputs; export the model again")
    return model


def list_missing_files(model: ModelProto, folder: Path) -> Iterator[str]:
    """Yield the files of a model's weights that are not in its folder."""
    for tensor in model.graph.initializer:
        if uses_external_data(tensor):
            location = ExternalDataInfo(tensor).location
            if not folder.joinpath(location).is_file():
                yield location


def list_open_inputs(model: ModelProto) -> list[ValueInfoProto]:
    """Return the inputs of a graph that have no value in the file."""
    given = {each.name for each in model.graph.initializer}
    return [each for each in model.graph.input if each.name not in given]


def describe_value(source: ModelSource, value: ValueInfoProto) -> InputSignature:
    """Describe an input of a graph.

    Raises:
        Unsupported: it is no tensor of numbers.
    """
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type in (TensorProto.STRING, TensorProto.UNDEFINED):
        raise Unsupported(f"the input {value.name} of {source.title} is no tensor of numbers")
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)).name
    except KeyError as error:
        raise Unsupported(f"the input {value.name} of {source.title} has a type that NumPy lacks") from error
    sizes = tuple(each.dim_value if each.HasField("dim_value") else each.dim_param for each in kind.shape.dim)
    return InputSignature(value.name, dtype, sizes, {}, None)


def make_literal_step(model: Path | bytes, graph: ModelProto, dtypes: Sequence[str]) -> Step:
    """Return a call of a graph without optimisations; ONNX's evaluator runs what ONNX Runtime lacks.

    Raises:
        Unsupported: neither runs it.
    """
    try:
        call = open_session(model)
    except Exception as error:  # whatever ONNX Runtime raises at an operation that it lacks
        try:
            evaluator = ReferenceEvaluator(graph)
        except Exception:
            raise Unsupported(f"ONNX Runtime cannot open it: {summarise_runtime_error(error)}") from error
        names = evaluator.input_names

        def call(*inputs: Array) -> Sequence[Any]:
            return evaluator.run(None, dict(zip(names, inputs, strict=True)))  # type: ignore[return-value]

    def step(*inputs: Array) -> tuple[Any, ...]:
        made = call(*(np.asarray(value, dtype) for value, dtype in zip(inputs, dtypes, strict=True)))
        return tuple(np.asarray(each) for each in made)

    return step


def count_flops(model: ModelProto, inputs: Sequence[Array]) -> int:
    """Count two operations for each multiplication of matrix products and convolutions, at these inputs."""
    fixed = ModelProto()
    fixed.CopyFrom(model)
    for value, array in zip(list_open_inputs(fixed), inputs, strict=True):
        for dim, size in zip(value.type.tensor_type.shape.dim, array.shape, strict=True):
            dim.dim_value = size
    del fixed.graph.value_info[:]
    try:
        inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True)
    except Exception:  # what cannot be inferred is not counted
        return 0
    values = (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    shapes = {each.name: [size.dim_value for size in each.type.tensor_type.shape.dim] for each in values}
    shapes |= {each.name: [*each.dims] for each in inferred.graph.initializer}
    return sum(count_node(node, shapes) for node in inferred.graph.node)


def count_node(node: NodeProto, shapes: Mapping[str, Sequence[int]]) -> int:
    """Count the operations of one node; 0 if its shapes are not known."""
    if node.op_type not in TERMS:
        return 0
    left, right, made = (shapes.get(name, ()) for name in (*node.input[:2], node.output[0]))
    return 2 * math.prod(made) * TERMS[node.op_type](left, right) if left and right and made else 0
