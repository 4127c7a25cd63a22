import pytest

from orchestrator.planning.grid import expand_request
from orchestrator.planning.request import AxisValues, ModeChoice, Request, WorkloadChoice
from tests.orchestrator.planning.conftest import VERSIONS, expand


def test_every_combination_of_the_axes_is_a_cell_once() -> None:
    cells = expand({"dtype": ["float32", "float64"], "tasks": ["forward", "backward"]})
    found = {(cell.label, cell.workload, cell.batch, cell.dtype, cell.task) for cell in cells}
    assert len(cells) == len(found) == 2 * 2 * 2 * 2 * 2


def test_a_framework_without_a_mode_is_all_its_modes() -> None:
    modes = [cell.label for cell in expand({"frameworks": ["tensorflow"], "batch": [1], "workloads": ["mlp"]})]
    assert modes == [f"tensorflow:{mode}" for mode in ("eager", "function", "xla", "session")]


def test_cells_that_are_compared_stand_together() -> None:
    titles = [(cell.workload, cell.batch) for cell in expand({})]
    assert titles == sorted(titles, key=titles.index)
    assert len(set(titles)) == 4


def test_what_is_named_twice_is_one_cell() -> None:
    twice = {"frameworks": ["numpy", "numpy:eager", "synthetic:spin"], "workloads": ["mlp", "mlp:depth=3", "rnn_cell"]}
    assert {cell.id for cell in expand(twice)} == {cell.id for cell in expand({})}
    assert len(expand(twice)) == len(expand({}))


@pytest.mark.parametrize(
    ("pick", "left"),
    [
        ({"framework": "numpy"}, 4),
        ({"framework": "numpy:eager", "batch": 2}, 6),
        ({"workload": "mlp"}, 4),
        ({"workload": "mlp:depth=3"}, 4),
        ({"workload": "mlp:depth=4"}, 8),
        ({"workload": "mlp:depth=4/3"}, 4),
        ({"workload": "mlp", "framework": "synthetic", "batch": 1}, 7),
        ({"dtype": "float64"}, 8),
    ],
)
def test_what_a_pick_names_is_excluded_and_nothing_else(pick: dict[str, object], left: int) -> None:
    assert len(expand({}, exclude=[pick])) == left


def test_included_cells_come_after_exclusion_with_the_first_of_each_axis() -> None:
    exclude, include = {"framework": "numpy"}, {"framework": "numpy", "workload": "mlp:depth=7", "batch": 9}
    added = [cell for cell in expand({}, exclude=[exclude], include=[include]) if cell.framework == "numpy"]
    assert [(cell.workload, cell.parameters["depth"], cell.batch, cell.task) for cell in added] == [
        ("mlp", 7, 9, "backward")
    ]


def test_an_included_cell_that_is_there_already_stays_one() -> None:
    assert len(expand({}, include=[{"framework": "numpy", "workload": "mlp"}])) == 8


def test_a_parameter_and_a_preset_may_be_an_axis() -> None:
    cells = expand(
        {"frameworks": ["numpy"], "batch": [1], "workloads": ["rnn:length=8/32:hidden=5/6", "matmul:cache/memory"]}
    )
    lengths = [(cell.parameters["length"], cell.parameters["hidden"]) for cell in cells if cell.workload == "rnn"]
    assert lengths == [(8, 5), (8, 6), (32, 5), (32, 6)]
    assert [cell.parameters["size"] for cell in cells if cell.workload == "matmul"] == [512, 4096]


def test_a_version_behind_a_framework_is_the_environment_of_its_cells() -> None:
    cells = expand(VERSIONS | {"batch": [1], "workloads": ["mlp"]})
    assert [(cell.framework, cell.environment) for cell in cells] == [
        ("tensorflow", "tensorflow@2.20"),
        ("tensorflow", "tensorflow@2.21"),
        ("tensorflow", "tensorflow"),
        ("torch", "torch"),
    ]


def test_by_default_each_framework_has_its_own_environment_and_numpy_the_current_one() -> None:
    assert {cell.environment for cell in expand({})} == {"current"}
    assert {cell.environment for cell in expand({"environment": ["current"], "frameworks": ["torch"]})} == {"current"}


def test_environments_are_an_axis_and_a_version_behind_a_framework_goes_before_it() -> None:
    axes = {"frameworks": ["jax", "tensorflow@2.20:eager"], "environment": ["jax@0.9", "current"], "batch": [1]}
    cells = expand(axes | {"workloads": ["mlp"]})
    assert sorted((cell.mode, cell.environment) for cell in cells) == [
        ("eager", "current"),
        ("eager", "jax@0.9"),
        ("eager", "tensorflow@2.20"),
        ("jit", "current"),
        ("jit", "jax@0.9"),
    ]


@pytest.mark.parametrize(
    ("pick", "left"),
    [
        ({"framework": "tensorflow@2.20"}, ["tensorflow@2.21", "tensorflow", "torch"]),
        ({"framework": "tensorflow"}, ["torch"]),
        ({"environment": "tensorflow@2.21"}, ["tensorflow@2.20", "tensorflow", "torch"]),
        ({"environment": "default"}, ["tensorflow@2.20", "tensorflow@2.21"]),
    ],
)
def test_a_pick_may_name_a_version(pick: dict[str, object], left: list[str]) -> None:
    cells = expand(VERSIONS | {"batch": [1], "workloads": ["mlp"]}, exclude=[pick])
    assert [cell.environment for cell in cells] == left


def test_values_are_combined_as_they_are_whatever_they_name() -> None:
    modes = [ModeChoice("nobody", mode, "nowhere") for mode in ("slow", "fast")]
    workloads = [WorkloadChoice("nothing", (("size", size),), "") for size in (1, 2)]
    axes = AxisValues(modes, workloads, {"batch": (1, 4)})
    picks = [AxisValues({modes[0]}, {workloads[1]}, {}), AxisValues(set(modes), set(workloads), {"batch": (4,)})]
    cells = expand_request(Request(axes, picks, [AxisValues(modes[:1], workloads[:1], {"batch": (9,)})], {}))
    assert [(cell.mode, cell.parameters, cell.batch, cell.environment) for cell in cells] == [
        ("slow", {"size": 1}, 1, "nowhere"),
        ("fast", {"size": 1}, 1, "nowhere"),
        ("fast", {"size": 2}, 1, "nowhere"),
        ("slow", {"size": 1}, 9, "nowhere"),
    ]
