"""Axes of cells: names, values, and the series of cells that differ in one of them."""

from collections.abc import Callable

import pytest

from orchestrator.errors import UsageError
from orchestrator.records.axes import (
    CELL_AXES,
    PRECISION,
    check_axis,
    collect_series,
    find_floating_mode,
    format_axis_value,
    get_axis_value,
    list_axes,
    list_values,
)
from orchestrator.records.labels import format_title
from schemas.job import Cell

MakeCell = Callable[..., Cell]
WITHOUT_VARIANTS = [axis for axis in CELL_AXES if axis != "variant"]


def test_every_axis_is_a_field_of_a_cell_or_its_precision() -> None:
    assert set(CELL_AXES) - {PRECISION} < Cell.model_fields.keys()


def test_a_mode_in_8_bits_stands_beside_the_mode_that_it_is_made_of(make_cell: MakeCell) -> None:
    cells = [make_cell("onnxruntime:session", dtype=dtype) for dtype in ("float32", "float16")]
    cells += [
        make_cell("onnxruntime:int8-dynamic"),
        make_cell("onnxruntime:int8-static"),
        make_cell("torch:int8-dynamic"),
    ]
    ((*series,),) = collect_series(cells, PRECISION)
    assert [get_axis_value(cell, PRECISION) for cell in series] == ["float32", "float16", "int8-dynamic", "int8-static"]
    assert [find_floating_mode(cell) for cell in cells] == [*["session"] * 4, "eager"]
    assert format_axis_value(PRECISION, "int8-static") == "in int8-static"


def test_cells_of_other_precision_are_never_in_one_group(make_cell: MakeCell) -> None:
    plain, quantised = make_cell("torch:eager"), make_cell("torch:int8-dynamic")
    assert format_title(quantised) == format_title(plain).replace("float32", "int8")
    assert format_title(quantised, without=PRECISION) == format_title(plain, without=PRECISION)
    assert "int8 from bfloat16" in format_title(make_cell("torch:int8-dynamic", dtype="bfloat16"))


def test_a_parameter_is_an_axis_of_its_own_name(make_cell: MakeCell) -> None:
    cells = [make_cell(parameters={"depth": 3}), make_cell(parameters={"length": 8})]
    assert list_axes(cells) == [*WITHOUT_VARIANTS, "depth", "length"]
    assert [get_axis_value(cell, "length") for cell in cells] == [None, 8]
    assert [*list_values(cells, "depth")] == [3]


def test_values_come_once_in_the_order_of_the_cells(make_cell: MakeCell) -> None:
    cells = [make_cell(threads=threads) for threads in (4, 1, 4)]
    assert [*list_values([*cells, make_cell(threads=2, replica=1)], "threads")] == [4, 1]


def test_a_series_holds_the_cells_that_differ_in_nothing_else(make_cell: MakeCell) -> None:
    cells = [
        make_cell(label, batch=batch, threads=threads)
        for label in ("numpy:eager", "torch:eager")
        for batch in (1, 32)
        for threads in (1, 2)
    ]
    series = collect_series(cells, "threads")
    assert len(series) == 4
    for one, two in series:
        assert (one.threads, two.threads) == (1, 2)
        assert one.model_copy(update={"threads": 2}) == two


def test_variants_of_one_thing_are_an_axis_though_their_code_differs(make_cell: MakeCell) -> None:
    cells = [
        make_cell(label, workload="old+new", parameters={}, variant=variant, code=code)
        for variant, code in (("old", "0a"), ("new", "0b"))
        for label in ("torch:eager", "torch:script")
    ]
    assert list_axes(cells) == [*CELL_AXES]
    assert [[cell.variant for cell in each] for each in collect_series(cells, "variant")] == [["old", "new"]] * 2
    assert collect_series(cells, "threads") == []


def test_a_series_along_a_parameter_keeps_the_others_equal(make_cell: MakeCell) -> None:
    cells = [make_cell(parameters={"length": length, "hidden": hidden}) for length in (8, 32) for hidden in (4, 5)]
    assert [[cell.parameters["length"] for cell in each] for each in collect_series(cells, "length")] == [[8, 32]] * 2
    assert [[cell.parameters["hidden"] for cell in each] for each in collect_series(cells, "hidden")] == [[4, 5]] * 2


def test_a_clone_and_a_cell_that_is_alone_are_in_no_series(make_cell: MakeCell) -> None:
    cell = make_cell(threads=1)
    assert collect_series([cell, cell.model_copy(update={"replica": 1, "threads": 2})], "threads") == []
    assert collect_series([cell, make_cell("torch:eager", threads=2)], "threads") == []


@pytest.mark.parametrize("axis", ["variant", "parameter", "length", "framework", ""])
def test_an_axis_that_is_not_there_is_refused_with_all_that_are(make_cell: MakeCell, axis: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_axis([make_cell(parameters={"depth": 3})], axis)
    said = str(refused.value)
    assert repr(axis) in said
    assert all(name in said for name in (*WITHOUT_VARIANTS, "depth"))
    assert "\n" not in said


def test_an_axis_with_one_value_is_refused_with_the_axes_that_have_more(make_cell: MakeCell) -> None:
    cells = [make_cell(batch=1), make_cell(batch=32)]
    check_axis(cells, "batch")
    with pytest.raises(UsageError, match=r"no mode has two values of it; compare by batch$"):
        check_axis(cells, "threads")
    with pytest.raises(UsageError, match="no axis with two values"):
        check_axis(cells[:1], "threads")
    with pytest.raises(UsageError, match=r"say more$"):
        check_axis(cells, "threads", "say more")


@pytest.mark.parametrize(
    ("axis", "value", "words"),
    [
        ("threads", 1, "with 1 thread"),
        ("threads", 2, "with 2 threads"),
        ("batch", 32, "of batch 32"),
        ("dtype", "bfloat16", "in bfloat16"),
        ("environment", "torch@2.13", "in torch@2.13"),
        ("device", "cuda", "on cuda"),
        ("task", "forward", "of task forward"),
        ("cache", "warm", "with a warm cache"),
        ("length", 8, "with length 8"),
    ],
)
def test_a_value_ends_a_noun_phrase(axis: str, value: int | str, words: str) -> None:
    assert format_axis_value(axis, value) == words


@pytest.mark.parametrize(("axis", "value"), [("threads", 2), ("batch", 8), ("dtype", "bfloat16"), ("task", "forward")])
def test_the_title_of_a_comparison_does_not_contain_its_axis(make_cell: MakeCell, axis: str, value: int | str) -> None:
    one, other = make_cell(), make_cell(**{axis: value})
    assert format_title(one) != format_title(other)
    assert format_title(one, without=axis) == format_title(other, without=axis)


def test_the_title_of_a_comparison_along_a_parameter_names_the_others(make_cell: MakeCell) -> None:
    cell = make_cell(parameters={"length": 8, "hidden": 4})
    assert format_title(cell, without="length") == "mlp backward (hidden=4), batch 1, float32, 1 thread, cpu"
    assert format_title(make_cell(), without="depth") == "mlp backward, batch 1, float32, 1 thread, cpu"
