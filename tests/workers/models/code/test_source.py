"""The parts of a user's file, found by their names, and what is said where one is missing."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.models import ModelSource
from workers.errors import Malformed, Unsupported
from workers.models.code.source import ModelCode, load_code

Load = Callable[..., ModelCode]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Load a file with this text as a model's code, and forget it afterwards."""
    modules, path = {*sys.modules}, [*sys.path]

    def of(text: str, attribute: str = "", inputs: tuple[str, ...] = (), inputs_function: str = "") -> ModelCode:
        file = tmp_path / "net_of_a_test.py"
        file.write_text(text)
        source = ModelSource(file=str(file), attribute=attribute, folder=str(tmp_path), inputs=inputs)
        return load_code(source.model_copy(update={"inputs_function": inputs_function}))

    yield of
    sys.path[:] = path
    for name in {*sys.modules} - modules:
        del sys.modules[name]


CALLED = """
class Net:
    def __init__(self, width=3):
        self.width = width

    def __call__(self, x):
        return x
"""


def test_a_class_with_its_arguments_beside_it_is_built_with_them(load: Load) -> None:
    code = load(CALLED.replace("Net", "Model") + "def get_init_inputs():\n    return [5]\n")
    assert code.build_model().width == 5


def test_arguments_may_have_names(load: Load) -> None:
    code = load(CALLED.replace("Net", "Model") + "def get_init_inputs():\n    return {'width': 6}\n")
    assert code.build_model().width == 6


def test_a_function_that_needs_nothing_builds_the_model(load: Load) -> None:
    assert load(CALLED + "def build():\n    return Net(7)\n").build_model().width == 7


def test_an_object_named_model_is_the_model(load: Load) -> None:
    assert load(CALLED + "model = Net(8)\n").build_model().width == 8


def test_the_only_model_of_a_file_needs_no_name(load: Load) -> None:
    assert load(CALLED).build_model().width == 3


def test_a_function_of_inputs_is_measured_as_it_is(load: Load) -> None:
    code = load("def double(x):\n    return 2 * x\ndef inputs(batch=1):\n    return batch\n")
    assert code.is_computation()
    assert code.build_model()(4) == 8


def test_a_name_chooses_among_several(load: Load) -> None:
    text = CALLED + CALLED.replace("Net", "Other").replace("width=3", "width=4")
    assert load(text, "Other").build_model().width == 4


@pytest.mark.parametrize(
    ("text", "attribute", "said"),
    [
        (
            CALLED + CALLED.replace("Net", "Other"),
            "",
            r"has several models (Net, Other); choose one: --model net_of_a_test.py:NAME",
        ),
        (
            "SIZE = 3\n",
            "",
            "has no model; write a class Model, a function build() that returns the model, or name the object",
        ),
        (CALLED, "Missing", "there is no Missing in"),
    ],
)
def test_a_file_without_one_model_is_refused_with_what_to_write(
    load: Load, text: str, attribute: str, said: str
) -> None:
    with pytest.raises(Malformed, match=re.escape(said)):
        load(text, attribute)


def test_a_file_that_ends_the_program_is_refused_with_what_to_write(load: Load) -> None:
    with pytest.raises(Malformed, match=r"ends the program when it is imported; put that part below if __name__ =="):
        load(CALLED + "raise SystemExit(3)\n")


def test_a_class_that_cannot_be_built_is_refused_with_what_to_write(load: Load) -> None:
    code = load(CALLED.replace("width=3", "width"))
    with pytest.raises(
        Malformed, match=r"Net cannot be built with 0 arguments .* write get_init_inputs\(\)"
    ) as refused:
        code.build_model()
    assert refused.value.place.endswith("net_of_a_test.py:3")


def test_inputs_are_drawn_with_the_batch_and_the_sizes_that_they_name(load: Load) -> None:
    code = load(CALLED + "def inputs(batch=1, length=8):\n    return [batch, length]\n")
    assert code.draw_inputs(4, {"length": 6}, seed=1) == ((4, 6), {})
    assert code.draw_inputs(2, {}, seed=1) == ((2, 8), {})


@pytest.mark.parametrize(
    ("returned", "call"),
    [("5", ((5,), {})), ("(5, 6)", ((5, 6), {})), ("{'x': 5}", ((), {"x": 5})), ("({'x': 5},)", (({"x": 5},), {}))],
)
def test_what_the_inputs_function_returns_are_the_arguments_of_a_call(load: Load, returned: str, call: object) -> None:
    assert load(CALLED + f"def get_inputs():\n    return {returned}\n").draw_inputs(1, {}, seed=1) == call


def test_inputs_without_a_batch_have_no_other_batch(load: Load) -> None:
    code = load(CALLED + "def get_inputs():\n    return [1]\n")
    with pytest.raises(
        Unsupported, match=r"get_inputs\(\) of net_of_a_test.py takes no batch; write get_inputs\(batch=1\)"
    ):
        code.draw_inputs(8, {}, seed=1)


def test_without_inputs_the_message_says_how_to_describe_them(load: Load) -> None:
    with pytest.raises(
        Malformed, match=r"write a function inputs\(batch=1\) that returns them, or describe them, as in"
    ):
        load(CALLED).draw_inputs(1, {}, seed=1)


def test_described_inputs_need_no_function(load: Load) -> None:
    ((drawn,), named) = load(CALLED, inputs=("float32[batch,2]",)).draw_inputs(3, {}, seed=1)
    assert (drawn.shape, named) == ((3, 2), {})


def test_a_file_imports_what_is_beside_it(load: Load, tmp_path: Path) -> None:
    tmp_path.joinpath("helper_of_a_test.py").write_text("WIDTH = 12\n")
    code = load("from helper_of_a_test import WIDTH\n" + CALLED.replace("width=3", "width=WIDTH"))
    assert code.build_model().width == 12


@pytest.mark.parametrize("place", ["data_of_a_test", "{folder}/data_of_a_test.py"])
def test_the_inputs_may_come_from_a_function_elsewhere(load: Load, tmp_path: Path, place: str) -> None:
    tmp_path.joinpath("data_of_a_test.py").write_text("def draw(batch=1):\n    return 7, batch\n")
    code = load(CALLED + "def inputs():\n    return 5\n", inputs_function=f"{place.format(folder=tmp_path)}:draw")
    assert code.draw_inputs(3, {}, seed=1) == ((7, 3), {})


def test_inputs_of_the_models_own_file_may_have_another_name(load: Load, tmp_path: Path) -> None:
    named = f"{tmp_path}/net_of_a_test.py:draw"
    assert load(CALLED + "def draw():\n    return 5\n", inputs_function=named).draw_inputs(1, {}, seed=1) == ((5,), {})


def test_a_missing_inputs_function_is_named(load: Load, tmp_path: Path) -> None:
    code = load(CALLED, inputs_function=f"{tmp_path}/net_of_a_test.py:draw")
    with pytest.raises(Malformed, match="there is no function draw for the inputs in"):
        code.draw_inputs(1, {}, seed=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"net_of_a_test.py has no function optimizer\(parameters\); write one that returns the optimiser"),
        (
            "optimizer = 5",
            r"optimizer in net_of_a_test.py is no function optimizer\(parameters\), but a value of type int",
        ),
        (
            "def optimizer():\n    return 5",
            r"has a function optimizer that cannot be called as optimizer\(parameters\)",
        ),
    ],
)
def test_a_file_without_an_optimiser_says_what_to_write_or_to_choose(load: Load, text: str, said: str) -> None:
    with pytest.raises(Malformed, match=f"{said}.*, or choose --optimizer sgd, adam or adamw") as refused:
        load(CALLED + text).find_optimizer("parameters")
    assert "net_of_a_test.py" in refused.value.place


@pytest.mark.parametrize(
    "text",
    ["def optimizer(weights, rate=1):\n    return weights", "import functools\noptimizer = functools.partial(list)"],
)
def test_what_can_be_called_with_the_parameters_is_the_optimiser_of_a_file(load: Load, text: str) -> None:
    assert load(CALLED + text).find_optimizer("parameters")([5]) == [5]
