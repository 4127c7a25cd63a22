"""SavedModels, measured by real workers and compared with their graph as it is written."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Report
from tests.workers.models.endings import read_refusal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow")

import tensorflow as tf

if TYPE_CHECKING:
    from tests.workers.models.conftest import MakeFileCase


class Net(tf.Module):  # type: ignore[misc]
    """Two inputs, of which one is an integer, and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = tf.Variable(tf.random.normal((11, 6)))

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec((None, 6), tf.float32, "x"), tf.TensorSpec((None,), tf.int64, "words")]
    )
    def call(self, x: tf.Tensor, words: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return two results, not in the order of their names."""
        rows = tf.tanh(tf.gather(self.table, words) + x)
        return {"second": rows, "first": tf.reduce_sum(rows, 1)}


def write_model(folder: Path, *names: str) -> Path:
    net = Net()
    tf.saved_model.save(net, str(folder / "net"), signatures=dict.fromkeys(names, net.call) or None)
    return folder / "net"


INPUTS = ("words=int64[batch]<11",)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["tensorflow:function", "tensorflow:xla", "tensorflow:eager"])
def test_a_signature_is_compared_with_its_graph_as_it_is_written(
    tmp_path: Path, make_file_case: "MakeFileCase", mode: str
) -> None:
    report = make_file_case(write_model(tmp_path, "serving_default"), inputs=INPUTS).measure(mode, batch=3)
    assert isinstance(report, Report), report
    assert report.verification.reason == ""
    assert "the graph of a SavedModel has the types that it was saved with" in report.verification.agreement
    assert {check.tensor for check in report.verification.checks} == {"output 0", "output 1"}


@pytest.mark.long
def test_one_of_several_signatures_has_to_be_named(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    folder = write_model(tmp_path, "serving_default", "encode", "decode")
    said = read_refusal(make_file_case(folder, inputs=INPUTS))
    assert said.startswith("net has 3 signatures; name one of ")
    assert all(name in said for name in ("serving_default", "encode", "decode", "as in --model net/:"))
    assert "net has no signature classify; name one of " in read_refusal(
        make_file_case(folder, "classify", inputs=INPUTS)
    )
    report = make_file_case(folder, "encode", inputs=INPUTS).measure("tensorflow:function", batch=2)
    assert isinstance(report, Report), report


@pytest.mark.long
def test_a_model_without_a_signature_is_refused(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "net"))
    assert read_refusal(make_file_case(tmp_path / "net")) == (
        "net has no signature; save the model with tf.saved_model.save(..., signatures=...)"
    )


@pytest.mark.long
def test_a_damaged_model_is_refused_in_one_sentence(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    folder = write_model(tmp_path, "serving_default")
    folder.joinpath("saved_model.pb").write_bytes(b"\x08\x01 and so on")
    assert read_refusal(make_file_case(folder)).startswith("net cannot be loaded: ")
