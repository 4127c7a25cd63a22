"""Graphs of OpenVINO and models of TensorFlow Lite, measured by real workers and compared with OpenVINO itself."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Failure, Report
from tests.workers.models.endings import read_refusal

for package in ("openvino", "onnx"):
    pytest.importorskip(package)

import openvino  # noqa: E402 (it may be missing)
from onnx import helper  # noqa: E402 (it may be missing)

from tests.workers.models.onnx_graphs import write_graph, write_network  # noqa: E402 (needs onnx)

if TYPE_CHECKING:
    from tests.workers.conftest import Python
    from tests.workers.models.conftest import MakeFileCase

CONVERT = """
import sys
import tensorflow as tf

net = tf.Module()
net.weights = tf.Variable(tf.random.normal((6, 5)))
call = tf.function(lambda x: tf.tanh(x @ net.weights), input_signature=[tf.TensorSpec((3, 6), tf.float32)])
made = tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()], net).convert()
open(sys.stdin.read(), "wb").write(made)
"""


def convert(file: Path) -> Path:
    """Write an ONNX file as a graph of OpenVINO beside it."""
    openvino.save_model(openvino.Core().read_model(file), file.with_suffix(".xml"))
    return file.with_suffix(".xml")


def check_agreement(last: Report | Failure) -> None:
    assert isinstance(last, Report), last
    assert last.verification.reason == ""
    assert "OpenVINO computes in float32 at most" in last.verification.agreement


@pytest.mark.long
def test_a_graph_of_openvino_is_compared_with_itself(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    case = make_file_case(convert(write_network(tmp_path / "net.onnx")))
    check_agreement(case.measure("openvino:compiled", batch=3))


@pytest.mark.long
def test_open_sizes_have_to_be_described(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    nodes = [helper.make_node("Neg", ["x"], ["y"])]
    file = convert(write_graph(tmp_path / "net.onnx", nodes, {"x": ("float32", ("batch", "length"))}))
    assert "net.xml leaves axis 1 of x open and does not name it; describe the input" in read_refusal(
        make_file_case(file)
    )
    case = make_file_case(file, inputs=("float32[batch,length=7]",))
    check_agreement(case.measure("openvino:compiled", batch=3, parameters={"length": 5}))


def test_a_damaged_graph_is_refused_in_one_sentence(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    file = convert(write_network(tmp_path / "net.onnx"))
    file.with_suffix(".bin").write_bytes(b"")
    assert read_refusal(make_file_case(file)) == "OpenVINO cannot read net.xml: Incorrect weights in bin file"
    file.write_text(file.read_text()[:500])
    assert read_refusal(make_file_case(file)).startswith("OpenVINO cannot read net.xml: ")


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="tensorflow is not installed")
@pytest.mark.long
def test_a_model_of_tensorflow_lite_runs_in_openvino(
    tmp_path: Path, make_file_case: "MakeFileCase", python: "Python"
) -> None:
    ended = python(CONVERT, str(tmp_path / "net.tflite").encode())
    assert ended.status == 0, ended.log
    check_agreement(make_file_case(tmp_path / "net.tflite").measure("openvino:compiled"))
