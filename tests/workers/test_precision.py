"""A cell is measured in the precision that it claims."""

import pytest

from schemas.job import Cell
from workers.errors import Malformed
from workers.precision import check_precision, check_weight_precision


def cell(dtype: str, task: str = "forward") -> Cell:
    return Cell.model_validate({"framework": "torch", "mode": "eager", "workload": "m", "dtype": dtype, "task": task})


@pytest.mark.parametrize(
    ("dtype", "found"),
    [
        ("float32", ["torch.float32", "int64", "bool"]),
        ("float64", ["float64", "complex128"]),
        ("float32", ["complex64"]),
        ("bfloat16", ["torch.bfloat16", "complex64"]),
        ("float16", ["torch.float16", "float16", "complex64"]),
    ],
)
def test_outputs_of_the_cells_precision_and_whole_numbers_pass(dtype: str, found: list[str]) -> None:
    check_precision(found, cell(dtype))


@pytest.mark.parametrize(
    ("dtype", "found"),
    [
        ("float64", "torch.float32"),
        ("bfloat16", "float32"),
        ("float16", "torch.bfloat16"),
        ("float16", "float32"),
        ("float32", "float64"),
        ("float64", "complex64"),
    ],
)
def test_an_output_of_another_precision_is_refused(dtype: str, found: str) -> None:
    with pytest.raises(Malformed, match=rf"returned {found.removeprefix('torch.')} as tensor 0.*computes in {dtype}"):
        check_precision([found], cell(dtype))


def test_a_loss_may_be_wider_and_never_narrower() -> None:
    check_precision(["float32", "bfloat16"], cell("bfloat16", "backward"))
    with pytest.raises(Malformed, match="float32 as tensor 0"):
        check_precision(["float32", "float64"], cell("float64", "backward"))
    with pytest.raises(Malformed, match="float32 as tensor 1"):
        check_precision(["float32", "float32"], cell("bfloat16", "backward"))


def test_a_weight_of_another_precision_is_named_with_its_place() -> None:
    check_weight_precision({"W": "torch.float64", "steps": "int64"}, cell("float64"))
    with pytest.raises(Malformed, match=r"the weight head\.b is float32, but this computes in bfloat16") as caught:
        check_weight_precision({"W": "bfloat16", "head.b": "torch.float32"}, cell("bfloat16"), "/mine/torch.py:5")
    assert caught.value.place == "/mine/torch.py:5"
