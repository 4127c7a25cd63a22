"""ONNX files, measured by real workers and verified against a copy in float64."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.event import Exported, Failure, Report
from schemas.models import Likeness
from tests.workers.models.endings import read_refusal

for package in ("onnx", "onnxruntime"):
    pytest.importorskip(package)

from onnx import TensorProto, helper, load, numpy_helper, save  # noqa: E402 (needs onnx)

from tests.workers.models.onnx_graphs import write_graph, write_network  # noqa: E402 (needs onnx)

if TYPE_CHECKING:
    from tests.workers.models.conftest import MakeFileCase

RUNTIMES = ["onnxruntime:session"] + ["openvino:compiled"] * bool(find_spec("openvino"))
Sizes = tuple[int | str | None, ...]


def check_right(last: Report | Failure) -> Report:
    """Return a report of a model that was found right."""
    assert isinstance(last, Report), last
    assert last.verification.reason == ""
    return last


@pytest.mark.long
@pytest.mark.parametrize("mode", RUNTIMES)
def test_a_file_is_opened_as_it_is_and_verified_in_float64(
    tmp_path: Path, make_file_case: "MakeFileCase", mode: str
) -> None:
    report = check_right(make_file_case(write_network(tmp_path / "net.onnx")).measure(mode, batch=3))
    assert {check.tensor for check in report.verification.checks} == {"output"}
    assert (report.verification.agreement, report.verification.referee) == ("", "onnxruntime")
    assert report.work.flops == 2 * 3 * 8 * (6 + 5)
    assert "load" in {phase.name for phase in report.phases}


@pytest.mark.parametrize("mode", RUNTIMES)
@pytest.mark.long
def test_inputs_have_the_types_of_the_file_and_sizes_that_have_a_value(
    tmp_path: Path, make_file_case: "MakeFileCase", mode: str
) -> None:
    table = np.random.default_rng(1).standard_normal((11, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "words"], ["rows"]),
        helper.make_node("Cast", ["half"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["rows", "wide"], ["y"]),
    ]
    inputs: dict[str, tuple[str, Sizes]] = {"words": ("int64", ("N", "length")), "half": ("float16", (4,))}
    file = write_graph(tmp_path / "net.onnx", nodes, inputs, {"table": table})
    case = make_file_case(file, inputs=("words=int64[batch,length=3]<11",))
    report = check_right(case.measure(mode, batch=2, parameters={"length": 5}))
    assert report.verification.agreement == ""


@pytest.mark.parametrize("mode", RUNTIMES)
@pytest.mark.long
def test_outputs_have_the_types_of_the_file(tmp_path: Path, make_file_case: "MakeFileCase", mode: str) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT16)]
    file = write_graph(tmp_path / "net.onnx", nodes, {"x": ("float32", (3, 4))}, made="float16")
    check_right(make_file_case(file).measure(mode))


@pytest.mark.parametrize("mode", RUNTIMES)
@pytest.mark.long
def test_a_convolution_has_a_referee_though_its_runtime_has_none_in_float64(
    tmp_path: Path, make_file_case: "MakeFileCase", mode: str
) -> None:
    kernel = np.random.default_rng(1).standard_normal((4, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "kernel"], ["y"], pads=[1, 1, 1, 1])]
    file = write_graph(tmp_path / "net.onnx", nodes, {"x": ("float32", (1, 3, 9, 9))}, {"kernel": kernel})
    report = check_right(make_file_case(file).measure(mode))
    assert (report.verification.agreement, report.work.flops) == ("", 2 * 4 * 9 * 9 * 27)


@pytest.mark.long
def test_sizes_for_resizing_stay_in_the_type_that_the_operator_has(
    tmp_path: Path, make_file_case: "MakeFileCase"
) -> None:
    nodes = [helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="linear")]
    weights = {"scales": np.array([1, 1, 2, 2], np.float32)}
    file = write_graph(tmp_path / "net.onnx", nodes, {"x": ("float32", (1, 2, 3, 3))}, weights)
    assert check_right(make_file_case(file).measure("onnxruntime:session")).verification.agreement == ""


@pytest.mark.long
def test_a_quantised_file_is_compared_with_its_most_literal_run(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    weights = {"scale": np.float32(0.1), "zero": np.uint8(128)}
    file = write_graph(tmp_path / "net.onnx", nodes, {"x": ("float32", (4, 6))}, weights)
    report = check_right(make_file_case(file).measure("onnxruntime:session"))
    assert "ONNX does not define QuantizeLinear for float64" in report.verification.agreement
    assert "net.onnx computes with less than float32, so its results may differ by 4 %" in report.notes


@pytest.mark.long
def test_results_that_are_off_are_named_wrong(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    case = make_file_case(write_network(tmp_path / "net.onnx"))
    expected = case.expect()
    change_weight(Path(case.source.file), 1.01).rename(case.source.file)
    last = case.measure("onnxruntime:session", expected)
    assert isinstance(last, Report)
    assert "output is off by" in last.verification.reason


@pytest.mark.long
def test_rows_of_data_are_the_inputs_in_turn(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    rows = np.random.default_rng(1).standard_normal((5, 6)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=rows)
    case = make_file_case(write_network(tmp_path / "net.onnx"), data=str(tmp_path / "rows.npz"))
    with np.load(case.expect(batch=2).path) as kept:
        assert [kept[f"inputs.{number}.0"].tolist() for number in range(3)] == [
            rows[:2].tolist(),
            rows[2:4].tolist(),
            rows[[4, 0]].tolist(),
        ]
    assert "x in" in read_refusal(case, batch=6)


@pytest.mark.parametrize(
    ("sizes", "said", "fields", "reason"),
    [
        (("batch", "length"), {}, {}, "leaves the size length of x open; give it a value, as in --dim length=128"),
        (("batch", None), {}, {}, r"leaves axis 1 of x open and does not name it; describe the input, as in --input"),
        ((2, 6), {}, {"batch": 4}, "has inputs of fixed sizes (x=float32[2,6]); leave out --batch"),
        ((2, 6), {"inputs": ("float32[2,7]",)}, {}, "--input float32[2,7] does not fit net.onnx, which takes x="),
        ((2, 6), {"inputs": ("int64[2,6]",)}, {}, "--input int64[2,6] does not fit"),
        ((2, 6), {"inputs": ("y=float32[2,6]",)}, {}, "describes an input that net.onnx does not have; it has x="),
        (("n", 6), {}, {"parameters": {"width": 3}}, "leaves no size width open; the open ones are: batch"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_what_to_write(
    tmp_path: Path,
    make_file_case: "MakeFileCase",
    sizes: Sizes,
    said: dict[str, object],
    fields: dict[str, object],
    reason: str,
) -> None:
    nodes = [helper.make_node("Neg", ["x"], ["y"])]
    case = make_file_case(write_graph(tmp_path / "net.onnx", nodes, {"x": ("float32", sizes)}), **said)
    assert reason in read_refusal(case, **fields)


def test_a_corrupt_file_is_refused(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    file = write_network(tmp_path / "net.onnx")
    file.write_bytes(file.read_bytes()[:-200])
    assert "net.onnx is corrupt, or not an ONNX model" in read_refusal(make_file_case(file))
    file.write_bytes(b"\x08\x0a")
    assert "net.onnx has no graph with outputs" in read_refusal(make_file_case(file))


@pytest.mark.long
def test_missing_weights_are_named(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    file = write_network(tmp_path / "net.onnx")
    save(load(file), file, save_as_external_data=True, location="net.onnx.data", size_threshold=0)
    case = make_file_case(file)
    check_right(case.measure("onnxruntime:session"))
    tmp_path.joinpath("net.onnx.data").unlink()
    case = make_file_case(file)
    assert read_refusal(case) == f"net.onnx lacks its weights: there is no file net.onnx.data in {tmp_path}"


def test_an_operation_that_nothing_runs_is_named(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    file = write_graph(tmp_path / "net.onnx", [helper.make_node("Frobnicate", ["x"], ["y"])], {"x": ("float32", (2,))})
    reason = read_refusal(make_file_case(file))
    assert reason.startswith("ONNX Runtime cannot open it")
    assert "Frobnicate" in reason


def test_random_results_are_refused(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    nodes = [helper.make_node("RandomNormalLike", ["x"], ["y"])]
    file = write_graph(tmp_path / "net.onnx", nodes, {"x": ("float32", (2, 6))})
    assert "it draws random numbers (RandomNormalLike)" in read_refusal(make_file_case(file))


def change_weight(file: Path, factor: float) -> Path:
    """Write a copy of a network whose first weight is multiplied by a factor."""
    model = load(file)
    weight = model.graph.initializer[0]
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(factor), weight.name))
    save(model, file.with_name("other.onnx"))
    return file.with_name("other.onnx")


@pytest.mark.long
def test_a_file_passed_off_as_another_is_found_out(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    file = write_network(tmp_path / "net.onnx")
    first = make_file_case(file).expect(batch=3)
    last = make_file_case(change_weight(file, 1.01)).refer(first, batch=3)
    assert isinstance(last, Failure), last
    assert "computes something else than the first model" in last.reason


@pytest.mark.long
def test_a_quantised_file_passed_off_as_its_original_is_found_out(
    tmp_path: Path, make_file_case: "MakeFileCase"
) -> None:
    weight = np.random.default_rng(5).standard_normal((6, 4)).astype(np.float32)
    step = np.abs(weight).max() / 127
    product, inputs = helper.make_node("MatMul", ["x", "weight"], ["y"]), {"x": ("float32", (3, 6))}
    nodes = [helper.make_node("DequantizeLinear", ["few", "step"], ["weight"]), product]
    weights = {"few": (weight / step).round().astype(np.int8), "step": step}
    first = make_file_case(write_graph(tmp_path / "net.onnx", [product], inputs, {"weight": weight})).expect()
    last = make_file_case(write_graph(tmp_path / "few.onnx", nodes, inputs, weights)).refer(first)
    assert isinstance(last, Failure), last
    assert last.outcome == "wrong"
    assert "its output is off by 0.00" in last.reason
    assert last.reason.endswith("in float32; name the first one with --same-as if it may differ")


@pytest.mark.long
def test_a_sibling_is_measured_and_its_distance_is_said(tmp_path: Path, make_file_case: "MakeFileCase") -> None:
    file = write_network(tmp_path / "net.onnx")
    first = make_file_case(file).expect(batch=3)
    case = make_file_case(change_weight(file, 1.01), is_sibling=True)
    second = case.refer(first, batch=3)
    assert isinstance(second, Exported), second
    report = check_right(case.measure("onnxruntime:session", second.artefact, batch=3))
    assert report.notes == ()
    assert report.verification.likeness.error is not None
    assert 0 < report.verification.likeness.error < 0.02


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.long
def test_answers_are_counted_against_labels(tmp_path: Path, make_file_case: "MakeFileCase", batch: int) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    file = write_graph(tmp_path / "net.onnx", nodes, {"x": ("float32", ("batch", 3))})
    np.savez(tmp_path / "rows.npz", x=np.eye(3, dtype=np.float32)[[0, 1, 2, 2, 1, 0, 0, 1]])
    np.save(tmp_path / "labels.npy", np.array([0, 1, 2, 2, 1, 0, 1, 2]))
    said = {"data": str(tmp_path / "rows.npz"), "labels": str(tmp_path / "labels.npy")}
    report = check_right(make_file_case(file, **said).measure("onnxruntime:session", batch=batch))
    assert report.verification.likeness == Likeness(right=6, answers=8)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.arange(3), "has int64 of the shape [3], not whole numbers for 8 rows"),
        (np.ones(8), "has float64 of the shape [8], not whole numbers for 8 rows"),
        (np.ones((8, 2), np.int64), "which does not fit labels of the shape [2, 2]"),
    ],
)
@pytest.mark.long
def test_labels_that_do_not_fit_are_refused(
    tmp_path: Path, make_file_case: "MakeFileCase", labels: NDArray[Any], reason: str
) -> None:
    file = write_network(tmp_path / "net.onnx")
    np.savez(tmp_path / "rows.npz", x=np.ones((8, 6), np.float32))
    np.save(tmp_path / "labels.npy", labels)
    case = make_file_case(file, data=str(tmp_path / "rows.npz"), labels=str(tmp_path / "labels.npy"))
    assert reason in read_refusal(case, batch=2)
