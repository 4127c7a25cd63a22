"""Copies of ONNX graphs that compute in float64."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx")

from onnx import NodeProto, TensorProto, checker, helper, load, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from tests.workers.models.onnx_graphs import write_graph
from workers.errors import Unsupported
from workers.models.files.onnx_double import widen_model

THIRD = np.float32(1) / np.float32(3)


def compute(folder: Path, nodes: list[NodeProto], x: NDArray[Any], **weights: object) -> NDArray[Any]:
    """Return the result of the copy of a graph, whose types are consistent."""
    file = write_graph(folder / "net.onnx", nodes, {"x": ("float32", x.shape)}, weights)
    wide = shape_inference.infer_shapes(widen_model(load(file)), check_type=True, strict_mode=True)
    checker.check_model(wide)
    (made,) = ReferenceEvaluator(wide).run(None, {"x": x.astype(np.float64)})
    return np.asarray(made)


def make_if(condition: str) -> NodeProto:
    """Return a choice between two graphs, each with a constant of its own."""
    branches = {
        f"{name}_branch": helper.make_graph(
            [
                helper.make_node("Constant", [], [f"{name}_value"], value_float=value),
                helper.make_node("Mul", ["x", f"{name}_value"], [f"{name}_y"]),
            ],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, (2,))],
        )
        for name, value in (("then", float(THIRD)), ("else", 2.0))
    }
    return helper.make_node("If", [condition], ["y"], **branches)


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ([helper.make_node("Mul", ["x", "w"], ["y"])], {"w": THIRD}),
        (
            [
                helper.make_node("Constant", [], ["w"], value_floats=[float(THIRD)]),
                helper.make_node("Mul", ["x", "w"], ["y"]),
            ],
            {},
        ),
        (
            [
                helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(np.asarray(THIRD))),
                helper.make_node("Cast", ["w"], ["v"], to=TensorProto.FLOAT),
                helper.make_node("Mul", ["x", "v"], ["y"]),
            ],
            {},
        ),
        ([make_if("yes")], {"yes": np.array(True)}),
    ],
)
def test_weights_constants_casts_and_inner_graphs_become_double(
    tmp_path: Path, nodes: list[NodeProto], weights: Mapping[str, object]
) -> None:
    x = np.array([1.0, 1e-3])
    made = compute(tmp_path, nodes, x, **weights)
    assert made.dtype == np.float64
    assert np.array_equal(made, x * np.float64(THIRD))


def test_inputs_that_have_to_stay_float_are_cast(tmp_path: Path) -> None:
    nodes = [helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")]
    made = compute(tmp_path, nodes, np.ones((1, 2)), scales=np.array([1, 2], np.float32))
    assert (made.dtype.name, made.shape) == ("float64", (1, 4))


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (helper.make_node("QuantizeLinear", ["x", "w"], ["y"]), "ONNX does not define QuantizeLinear for float64"),
        (
            helper.make_node("FusedThing", ["x"], ["y"], domain="com.example"),
            "ONNX does not define com.example.FusedThing",
        ),
    ],
)
def test_what_has_no_float64_is_named(tmp_path: Path, node: NodeProto, reason: str) -> None:
    file = write_graph(tmp_path / "net.onnx", [node], {"x": ("float32", (2,))}, {"w": THIRD})
    with pytest.raises(Unsupported, match=reason.replace(".", r"\.")):
        widen_model(load(file))
