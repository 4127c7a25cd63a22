"""Inputs of model files: by the signature of the file, the user's descriptions, and the user's rows."""

from pathlib import Path

import numpy as np
import pytest

from schemas.job import Cell
from schemas.models import InputSignature, ModelSource
from workers.errors import Malformed
from workers.models.files.inputs import FileInputs, describe_unknown, is_batch_name, make_inputs


def make_cell(batch: int = 1, **sizes: int) -> Cell:
    return Cell(framework="onnxruntime", mode="session", workload="net", task="forward", batch=batch, parameters=sizes)


def make_source(folder: Path, *inputs: str, data: str = "") -> ModelSource:
    return ModelSource(file=str(folder / "net.onnx"), folder=str(folder), kind="onnx", inputs=inputs, data=data)


def describe(*inputs: tuple[str, str, tuple[int | str, ...]]) -> list[InputSignature]:
    return [InputSignature(name, dtype, sizes, {}, None) for name, dtype, sizes in inputs]


def list_shapes(inputs: FileInputs) -> list[tuple[int, ...]]:
    return [each.shape for each in inputs.draw(1, 1)]


@pytest.mark.parametrize(
    ("name", "is_batch"),
    [("", True), ("N", True), ("batch", True), ("Batch_size", True), ("bs", True), ("length", False), ("s77", False)],
)
def test_an_open_first_size_is_the_batch_by_its_name(name: str, is_batch: bool) -> None:
    assert is_batch_name(name) is is_batch


def test_sizes_come_from_the_file_the_batch_and_the_parameters(tmp_path: Path) -> None:
    found = describe(("x", "float32", ("N", "length", 3)), ("mask", "bool", ("batch", "length")), ("one", "int64", ()))
    inputs = make_inputs(make_source(tmp_path), make_cell(4, length=5), found)
    assert list_shapes(inputs) == [(4, 5, 3), (4, 5), ()]


def test_a_description_replaces_an_input_by_its_name_or_in_order(tmp_path: Path) -> None:
    found = describe(("x", "float32", ("N", "")), ("ids", "int64", ("N", 4)))
    source = make_source(tmp_path, "ids=int64[batch,4]<9", "float32[batch,width=6]")
    inputs = make_inputs(source, make_cell(2, width=3), found)
    assert list_shapes(inputs) == [(2, 3), (2, 4)]
    assert [each.name for each in inputs.inputs] == ["x", "ids"]
    assert {*np.unique(inputs.draw(5, 1)[1])} <= {*range(9)}


def test_a_file_that_knows_no_shapes_has_those_of_the_user(tmp_path: Path) -> None:
    found = describe_unknown(make_source(tmp_path, "mask=bool[batch]", "float32[batch,3]"), ["x", "mask"])
    assert [(each.name, each.dtype, each.sizes) for each in found] == [
        ("x", "float32", ("batch", 3)),
        ("mask", "bool", ("batch",)),
    ]


@pytest.mark.parametrize("inputs", [(), ("float32[3]",), ("float32[3]", "y=float32[3]"), ("bool[1]",) * 3])
def test_a_file_that_knows_no_shapes_needs_each_of_them(tmp_path: Path, inputs: tuple[str, ...]) -> None:
    with pytest.raises(Malformed, match=r"net\.onnx does not say the shapes of its inputs \(x, mask\); describe each"):
        describe_unknown(make_source(tmp_path, *inputs), ["x", "mask"])


def test_rows_are_taken_in_turn_by_name_or_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = np.arange(10, dtype=np.float32).reshape(5, 2)
    found = describe(("x", "float32", ("N", 2)))
    for names in ({"x": rows, "other": rows[:1]}, {"anything": rows}):
        np.savez(tmp_path / "rows.npz", **names)
        inputs = make_inputs(make_source(tmp_path, data=str(tmp_path / "rows.npz")), make_cell(2), found)
        assert [inputs.draw(seed, 7)[0].tolist() for seed in (7, 8, 9)] == [
            rows[:2].tolist(),
            rows[2:4].tolist(),
            rows[[4, 0]].tolist(),
        ]


def test_a_pickle_in_the_users_data_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.array([{}], dtype=object))
    inputs = make_inputs(
        make_source(tmp_path, data=str(tmp_path / "rows.npz")), make_cell(), describe(("x", "float32", (1,)))
    )
    with pytest.raises(Malformed, match=r"rows\.npz must be an \.npz file with the arrays x"):
        inputs.draw(1, 1)
