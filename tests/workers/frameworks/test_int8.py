"""Modes in 8 bits compute the reference's results within their limit, of a model that is right in float32."""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.event import Failure
from schemas.judging import UNQUANTISED
from workers.arrays import Array
from workers.verification.quantised import INT8_TOLERANCE

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported, Work


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_torch_in_8_bits_is_near_and_its_model_is_right(ask: "Ask", reported: "Reported") -> None:
    report = reported(ask("torch", "int8-dynamic", "mlp", task="forward", batch=3))
    assert report.verification.reason == ""
    errors = {check.inputs.partition(", ")[2]: check.error or 0.0 for check in report.verification.checks}
    assert errors.pop(UNQUANTISED) < 1e-6
    assert min(errors.values()) > 1e-4
    assert max(errors.values()) < INT8_TOLERANCE
    assert all(
        check.equal_argmax is not None for check in report.verification.checks if UNQUANTISED not in check.inputs
    )
    assert "compile" in {cost.name for cost in report.phases}
    assert report.ceiling.flops_per_s == 0


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize(
    ("workload", "task", "reason"),
    [
        ("mlp", "backward", "quantised weights are integers, which have no gradient"),
        ("rnn_cell", "forward", "quantize_dynamic replaces modules such as nn.Linear and nn.LSTM"),
    ],
)
def test_torch_refuses_what_it_cannot_quantise(ask: "Ask", work: "Work", workload: str, task: str, reason: str) -> None:
    failure = work(ask("torch", "int8-dynamic", workload, task=task)).events[-1]
    assert isinstance(failure, Failure)
    assert failure.outcome == "unsupported"
    assert reason in failure.reason


def write_product(path: Path, weight: Array, *, operator: str = "MatMul") -> Path:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", kind, ["batch", 64])]
    outputs = [helper.make_tensor_value_info("y", kind, ["batch", 64])]
    initial = [onnx.numpy_helper.from_array(weight, "w")]
    graph = helper.make_graph([helper.make_node(operator, ["x", "w"], ["y"])], "g", inputs, outputs, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("mode", ["int8-dynamic", "int8-static"])
def test_onnx_runtime_quantises_a_product_and_says_how_many(mode: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    from workers.frameworks import onnxruntime_int8

    rng = np.random.default_rng(3)
    weight, sets = rng.standard_normal((64, 64)).astype(np.float32), rng.standard_normal((4, 8, 64)).astype(np.float32)
    source = write_product(tmp_path / "m.onnx", weight)
    made = onnxruntime_int8.quantise_file(source, mode, [(each,) for each in sets])
    assert onnxruntime_int8.count_operators(made)["products in 8 bits"] == "1 of 1"
    session = runtime.InferenceSession(made, providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"x": sets[0]})
    error = np.linalg.norm(got - sets[0] @ weight) / np.linalg.norm(sets[0] @ weight)
    assert 1e-3 < error < 0.05


@pytest.mark.parametrize("mode", ["int8-dynamic", "int8-static"])
def test_onnx_runtime_refuses_a_model_without_a_product(mode: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from workers.errors import Unsupported
    from workers.frameworks import onnxruntime_int8

    source = write_product(tmp_path / "m.onnx", np.ones(64, np.float32), operator="Sub")
    with pytest.raises(Unsupported, match="no product that ONNX Runtime computes in 8 bits"):
        onnxruntime_int8.quantise_file(source, mode, [(np.ones((2, 64), np.float32),)])


def test_drawn_inputs_come_by_name_and_end() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from workers.frameworks.onnxruntime_int8 import DrawnInputs

    reader = DrawnInputs(["x", "y"], [(1, 2), (3, 4)])
    assert [reader.get_next(), reader.get_next(), reader.get_next()] == [{"x": 1, "y": 2}, {"x": 3, "y": 4}, None]


def test_openvino_without_nncf_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.errors import Unsupported
    from workers.frameworks import openvino_int8

    monkeypatch.setattr(openvino_int8, "find_spec", lambda _: None)
    with pytest.raises(Unsupported, match=r"needs the package nncf: python -m pip install 'plumbline-ml\[int8\]'"):
        openvino_int8.quantise_graph(object(), [])


@pytest.mark.long
def test_openvino_quantises_a_product(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    pytest.importorskip("nncf")
    from workers.frameworks import openvino_int8

    rng = np.random.default_rng(4)
    weight = rng.standard_normal((64, 64)).astype(np.float32)
    core, sets = (
        openvino.Core(),
        [(openvino.Tensor(rng.standard_normal((8, 64)).astype(np.float32)),) for _ in range(4)],
    )
    graph = openvino_int8.quantise_graph(core.read_model(write_product(tmp_path / "m.onnx", weight)), sets)
    found = Counter(each.get_type_name() for each in graph.get_ops())
    assert found["FakeQuantize"] > 0
    got, due = core.compile_model(graph, "CPU")(sets[0])[0], sets[0][0].data @ weight
    assert 1e-3 < np.linalg.norm(got - due) / np.linalg.norm(due) < 0.05
