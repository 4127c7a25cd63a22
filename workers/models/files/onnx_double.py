"""A copy of an ONNX graph that computes in float64: the referee of the file."""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.inliner import inline_local_functions

from workers.errors import Unsupported

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
ONLY_FLOAT = "tensor(float)"
DOUBLE = "tensor(double)"

# Attributes that hold the type of what a node makes.
TYPE_ATTRIBUTES = ("to", "dtype")


def widen_model(model: ModelProto) -> ModelProto:
    """Return a copy in which all floating-point tensors are double.

    Raises:
        Unsupported: it has an operation that ONNX does not define for double.
    """
    wide = inline_local_functions(model)
    versions = {each.domain: each.version for each in wide.opset_import}
    GraphWidener(versions).widen_graph(wide.graph)
    return wide


class GraphWidener:
    """The change of graphs, and of those inside of them, for one set of operators."""

    def __init__(self, versions: dict[str, int]) -> None:
        self._versions, self._count = versions, 0

    def widen_graph(self, graph: GraphProto) -> None:
        """Change a graph in place."""
        if graph.sparse_initializer:
            raise Unsupported("it has sparse weights")
        for tensor in graph.initializer:
            widen_tensor(tensor)
        for value in (*graph.input, *graph.output):
            widen_type(value.type)
        del graph.value_info[:]
        nodes = [each for node in graph.node for each in self._widen_node(node)]
        del graph.node[:]
        graph.node.extend(nodes)

    def _widen_node(self, node: NodeProto) -> Iterator[NodeProto]:
        """Yield a node in double, with casts around it where an input or output has to stay float."""
        schema = self._find_schema(node)
        check_double(node, schema)
        changed = NodeProto()
        changed.CopyFrom(node)
        for attribute in changed.attribute:
            self._widen_attribute(changed, attribute)
        inputs, outputs = (
            [number for number in range(len(names)) if names[number] and get_type(formal, number) == ONLY_FLOAT]
            for names, formal in ((node.input, schema.inputs), (node.output, schema.outputs))
        )
        for number in inputs:
            narrow = self._name_value(node.input[number])
            yield helper.make_node("Cast", [node.input[number]], [narrow], to=TensorProto.FLOAT)
            changed.input[number] = narrow
        for number in outputs:
            changed.output[number] = self._name_value(node.output[number])
        yield changed
        for number in outputs:
            yield helper.make_node("Cast", [changed.output[number]], [node.output[number]], to=TensorProto.DOUBLE)

    def _widen_attribute(self, node: NodeProto, attribute: AttributeProto) -> None:
        """Change an attribute in place: a tensor, a graph, or the name of a type."""
        for graph in (*([attribute.g] if attribute.type == AttributeProto.GRAPH else ()), *attribute.graphs):
            self.widen_graph(graph)
        for tensor in (*([attribute.t] if attribute.type == AttributeProto.TENSOR else ()), *attribute.tensors):
            widen_tensor(tensor)
        if attribute.name in TYPE_ATTRIBUTES and attribute.type == AttributeProto.INT and attribute.i in FLOATS:
            attribute.i = TensorProto.DOUBLE
        if node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
            value = np.float64(attribute.f) if attribute.name == "value_float" else np.array(attribute.floats)
            attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(np.asarray(value, np.float64))))

    def _find_schema(self, node: NodeProto) -> onnx.defs.OpSchema:
        try:
            return onnx.defs.get_schema(node.op_type, self._versions[node.domain], node.domain)
        except (onnx.defs.SchemaError, KeyError) as error:
            raise Unsupported(f"ONNX does not define {node.domain}.{node.op_type}") from error

    def _name_value(self, name: str) -> str:
        self._count += 1
        return f"{name}/as_float/{self._count}"


def check_double(node: NodeProto, schema: onnx.defs.OpSchema) -> None:
    """Check that an operation is defined for double, wherever it is for float.

    Raises:
        Unsupported: it is not.
    """
    for constraint in schema.type_constraints:
        allowed = constraint.allowed_type_strs
        if ONLY_FLOAT in allowed and DOUBLE not in allowed:
            raise Unsupported(f"ONNX does not define {node.op_type} for float64")


def get_type(formal: Sequence[onnx.defs.OpSchema.FormalParameter], number: int) -> str:
    """Return the type of an input or output as the operator defines it; the last one may stand for several."""
    return formal[min(number, len(formal) - 1)].type_str if formal else ""


def widen_tensor(tensor: TensorProto) -> None:
    """Change a tensor in place, if it holds floating-point numbers."""
    if tensor.data_type in FLOATS:
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), name))


def widen_type(kind: onnx.TypeProto) -> None:
    """Change the type of an input or output in place."""
    if kind.tensor_type.elem_type in FLOATS:
        kind.tensor_type.elem_type = TensorProto.DOUBLE
