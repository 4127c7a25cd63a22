from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis import groups
from orchestrator.analysis.breakeven import find_break_evens, find_sibling
from orchestrator.records.labels import describe_computations, format_title, label_cells, shorten_paths
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecords = Callable[..., list[JobRecord]]

OLD, NEW, DEFAULT = "tensorflow@2.20", "tensorflow@2.21", "tensorflow"


def called(*cells: Cell) -> list[str]:
    return list(label_cells(cells).values())


def test_with_one_environment_a_framework_needs_no_version_in_its_name(make_cell: MakeCell) -> None:
    cells = [make_cell("tensorflow:eager", environment=OLD), make_cell("torch:eager", environment="torch")]
    assert called(*cells) == ["tensorflow:eager", "torch:eager"]


def test_with_several_those_with_a_version_are_called_by_it_and_the_default_is_plain(make_cell: MakeCell) -> None:
    cells = [make_cell("tensorflow:eager", environment=name) for name in (DEFAULT, OLD, "mine", "current", "/x/python")]
    assert called(*cells, make_cell("torch:eager", environment="mine")) == [
        "tensorflow:eager",
        "tensorflow@2.20:eager",
        "tensorflow@mine:eager",
        "tensorflow@current:eager",
        "tensorflow@/x/python:eager",
        "torch:eager",
    ]


def test_interpreters_are_called_by_the_part_of_their_paths_that_differs(make_cell: MakeCell) -> None:
    paths = ["/ci/venv-base/bin/python", "/ci/venv-head/bin/python"]
    cells = [make_cell("numpy:eager", environment=name) for name in (*paths, "current")]
    assert called(*cells, make_cell("torch:eager", environment="torch")) == [
        "numpy@venv-base:eager",
        "numpy@venv-head:eager",
        "numpy@current:eager",
        "torch:eager",
    ]


@pytest.mark.parametrize(
    ("paths", "short"),
    [
        (["/usr/bin/python3.11", "/usr/bin/python3.12"], ["python3.11", "python3.12"]),
        (["/a/one/x/bin/python", "/a/two/y/bin/python"], ["one/x", "two/y"]),
        (["/a/venv/bin/python", "/a/venv2/bin/python", "/b/venv/bin/python"], ["a/venv", "a/venv2", "b/venv"]),
        # One path is another with a part more: none of the rest would tell them apart.
        (["/a/python", "/a/b/python"], ["/a/python", "/a/b/python"]),
        (["/a/python"], ["/a/python"]),
        (["torch", "current"], []),
        ([], []),
    ],
)
def test_what_tells_paths_apart_is_as_short_as_it_can_be_and_never_nothing(paths: list[str], short: list[str]) -> None:
    assert list(shorten_paths(paths).values()) == short


def test_a_clone_is_called_like_its_original_with_its_mark(make_cell: MakeCell) -> None:
    cells = [make_cell("tensorflow:eager", environment=name, replica=number) for number, name in ((0, OLD), (1, NEW))]
    assert called(*cells) == ["tensorflow@2.20:eager", "tensorflow@2.21:eager (A/A)"]


def test_what_is_computed_is_said_with_what_differs_among_cells_of_its_workload_and_task_alone(
    make_cell: MakeCell,
) -> None:
    short, wide = (make_cell(workload="rnn", parameters={"hidden": 20, "length": n}, batch=n) for n in (8, 32))
    other = make_cell(workload="mlp", parameters={"depth": 3}, dtype="float64")
    warm = make_cell(workload="mlp", parameters={"depth": 3}, task="forward", cache="warm")
    cold = warm.model_copy(update={"cache": "cold"})
    said = describe_computations([short, wide, other, warm, cold])
    assert [said[cell.id] for cell in (short, wide)] == [
        f"rnn {short.task} length=8, batch 8",
        f"rnn {short.task} length=32, batch 32",
    ]
    assert [said[cell.id] for cell in (other, warm, cold)] == [
        f"mlp {other.task}",
        "mlp forward, warm cache",
        "mlp forward",
    ]
    assert len({format_title(cell) for cell in (short, wide, other, warm, cold)}) == 5


def test_cells_of_another_program_may_have_other_parameters(make_cell: MakeCell) -> None:
    cells = [make_cell(workload="rnn", parameters=parameters) for parameters in ({"length": 8}, {"width": 9})]
    assert list(describe_computations(cells).values()) == [
        f"rnn {cells[0].task} length=8",
        f"rnn {cells[0].task} width=9",
    ]
    assert describe_computations([]) == {}


def test_versions_are_in_one_group_where_every_name_means_one_cell(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell(f"tensorflow:{mode}", environment=name) for name in (OLD, NEW) for mode in ("eager", "function")]
    times = list(zip(cells, (2000, 1000, 2200, 900), strict=True))
    (group,) = groups.group_results(make_records(times), cells, "tensorflow@2.21:eager")
    assert {each.label: each.cell for each in group.results} == {
        f"{cell.environment}:{cell.mode}": cell for cell in cells
    }
    assert group.baseline == "tensorflow@2.21:eager"
    assert [standing.cell for standing in group.standings][:2] == [
        "tensorflow@2.21:function",
        "tensorflow@2.20:function",
    ]


def test_a_compiled_mode_has_to_beat_its_sibling_of_the_same_version(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    cells = [make_cell(f"tensorflow:{mode}", environment=name) for name in (OLD, NEW) for mode in ("eager", "function")]
    times = list(zip(cells, (2000, 1000, 2200, 900), strict=True))
    (group,) = groups.group_results(make_records(times), cells)
    assert find_sibling(group, "tensorflow@2.21:function") == "tensorflow@2.21:eager"
    assert find_sibling(group, "tensorflow@2.21:eager") == ""
    against = [(found.mode, found.other) for found in find_break_evens(group)]
    assert ("tensorflow@2.20:function", "tensorflow@2.20:eager") in against
    assert ("tensorflow@2.21:function", "tensorflow@2.21:eager") in against
    assert ("tensorflow@2.21:function", "tensorflow@2.20:eager") not in against


CELLS = st.lists(
    st.builds(
        Cell,
        framework=st.sampled_from(["torch", "tensorflow"]),
        mode=st.sampled_from(["eager", "trace"]),
        workload=st.sampled_from(["mlp", "rnn"]),
        parameters=st.dictionaries(st.sampled_from(["length", "width"]), st.integers(1, 3), max_size=2),
        batch=st.integers(1, 2),
        environment=st.sampled_from(["torch", "tensorflow", "tensorflow@2.20", "current"]),
        cache=st.sampled_from(["cold", "warm"]),
        replica=st.integers(0, 1),
    ),
    max_size=6,
    unique_by=lambda cell: cell.id,
)


@given(CELLS)
def test_cells_that_are_compared_with_each_other_never_share_a_label(cells: list[Cell]) -> None:
    labels = label_cells(cells)
    assert labels.keys() == {cell.id for cell in cells}
    compared = [(format_title(cell), labels[cell.id]) for cell in cells]
    assert len({*compared}) == len(compared)


@given(CELLS)
def test_cells_of_one_title_compute_the_same_under_the_same_conditions(cells: list[Cell]) -> None:
    neutral = {"framework": "any", "mode": "any", "environment": "any", "replica": 0}
    by_title: dict[str, set[str]] = {}
    for cell in cells:
        by_title.setdefault(format_title(cell), set()).add(cell.model_copy(update=neutral).content_hash)
    assert all(len(computed) == 1 for computed in by_title.values())


@given(CELLS)
def test_a_computation_is_described_by_nothing_that_all_cells_have_in_common(cells: list[Cell]) -> None:
    found = describe_computations(cells)
    if cells and all(cell.batch == cells[0].batch for cell in cells):
        assert not any("batch" in text for text in found.values())
    for cell in cells:
        assert found[cell.id].startswith(f"{cell.workload} {cell.task}")
