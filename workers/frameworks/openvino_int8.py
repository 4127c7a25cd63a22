"""Graphs of OpenVINO in 8 bits, by NNCF."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from workers.errors import Unsupported

# The operation that rounds to 256 steps, which OpenVINO turns into products of 8-bit integers.
ROUNDING_OPERATION = "FakeQuantize"


def quantise_graph(graph: Any, input_sets: Sequence[tuple[Any, ...]]) -> Any:
    """Return a graph in 8 bits, with ranges from these inputs.

    Raises:
        Unsupported: the package is not installed, or nothing in the graph can be computed in 8 bits.
    """
    if find_spec("nncf") is None:
        raise Unsupported("it needs the package nncf: python -m pip install 'plumbline-ml[int8]'")
    import nncf

    names = [each.get_any_name() for each in graph.inputs]
    drawn = nncf.Dataset(
        list(input_sets), lambda values: {name: each.data for name, each in zip(names, values, strict=True)}
    )
    made = nncf.quantize(graph, drawn, subset_size=len(input_sets))
    if not any(operation.get_type_name() == ROUNDING_OPERATION for operation in made.get_ops()):
        raise Unsupported("it has no product that OpenVINO computes in 8 bits; choose openvino:compiled")
    return made
