"""The arithmetic of a graph of TensorFlow."""

from typing import Any

import tensorflow as tf


def count_graph_flops(graph: Any) -> int:
    """Count the operations of the matrix products and convolutions of a function's graph and of those that it calls.

    The body of a loop counts once, as nobody knows how often it runs, and operations whose results nothing uses count
    not at all, as TensorFlow removes them: the sum is never more than is needed.
    """
    called = [each.graph for each in getattr(graph, "_functions", {}).values() if hasattr(each, "graph")]
    return sum(map(count_operation, list_used_operations(graph))) + sum(map(count_graph_flops, called))


def list_used_operations(graph: Any) -> list[Any]:
    """Return the operations that the outputs of a function's graph depend on."""
    found, waiting = {}, [tensor.op for tensor in graph.outputs]
    while waiting:
        operation = waiting.pop()
        if operation.name not in found:
            found[operation.name] = operation
            waiting += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    return list(found.values())


def count_operation(operation: Any) -> int:
    """Count the operations of one node: two for each number that a product adds up."""
    kind, shapes = operation.type, [each.shape for each in operation.inputs]
    if kind in ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"):
        is_swapped = operation.get_attr("transpose_a" if kind == "MatMul" else "adj_x")
        return 2 * count_numbers(operation.outputs[0].shape) * count_numbers(shapes[0][-2 if is_swapped else -1 :][:1])
    if kind in ("Conv2D", "Conv3D", "DepthwiseConv2dNative"):
        # A kernel's last axis, and a depthwise one's last two, are outputs.
        summed = shapes[1][: -2 if kind.startswith("Depthwise") else -1]
        return 2 * count_numbers(operation.outputs[0].shape) * count_numbers(summed)
    if kind in ("Conv2DBackpropInput", "Conv3DBackpropInputV2"):
        return 2 * count_numbers(shapes[2]) * count_numbers(shapes[1][:-1])
    if kind in ("Conv2DBackpropFilter", "Conv3DBackpropFilterV2"):
        return 2 * count_numbers(shapes[2]) * count_numbers(operation.outputs[0].shape[:-1])
    return 0


def count_numbers(shape: tf.TensorShape) -> int:
    """Return the numbers in a tensor of this shape; 0 where it is unknown."""
    return int(shape.num_elements() or 0)
