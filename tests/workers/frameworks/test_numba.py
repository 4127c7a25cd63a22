"""Promises of Numba beyond those of every framework: what is compiled, in which precision, and by which arguments."""

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from schemas.event import Failure

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Reported, Work

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")

OPERATIONS = ("matmul", "conv2d", "elementwise_chain", "softmax", "layer_norm", "reduction", "gather_scatter")

BUILD = """
import json, types
import numpy as np
from schemas.job import Cell
from workers import workloads
from workers.errors import Malformed
from workers.frameworks import import_framework

def build(workload, mode="njit", task="forward", parameters=None, **fields):
    cell = Cell(framework="numba", mode=mode, workload=workload, task=task, parameters=parameters or {}, **fields)
    return import_framework("numba")(cell)
"""

FIRST_CALL = """
framework = build("softmax")
model = framework.build(workloads.import_implementation("softmax", "numba"), {"b": np.ones(4)})
inputs = framework.arrays([np.ones((2, 4))])
ready = framework.step(model, inputs, [(2, 4)])
told = [ready.phase, framework.compilations()]
step = ready.prepare()
told.append(framework.compilations())
step(*inputs)
told.append(framework.compilations())
step(np.ones((2, 4)))
print(json.dumps([*told, framework.compilations()]))
"""

PRECISION = """
from schemas.workloads import WORKLOADS
from workers.problem.problem import Problem

wide = {}
for workload in WORKLOADS:
    if workload.name not in OPERATIONS:
        continue
    sizes = {size.name: size.default for size in workload.parameters}
    framework = build(workload.name, parameters=sizes)
    problem = Problem(framework._cell, 7)
    model = framework.build(workloads.import_implementation(workload.name, "numba"), problem.weights)
    framework.step(model, framework.arrays(problem.input_sets[0]), problem.infer_axes()).prepare()
    (compiled,) = framework._dispatcher.overloads.values()
    types = compiled.type_annotation.typemap
    # Names that begin with $ are steps of an expression, such as a literal before it is converted.
    wide[workload.name] = [name for name, kind in types.items() if "float64" in str(kind) and name[0] != "$"]
print(json.dumps(wide))
"""

OWN_FILE = """
import inspect

def forward(x, W, sizes):
    for layer in range(len(W)):
        x = np.dot(x, W[layer])
    return sizes.times * x

def backward(x, b, W):
    return x.sum(), b + b, [W[0] + 1, W[1] + 2]

def run(task, function, names):
    framework = build("own", task=task, parameters={"times": 3}, dtype="float64")
    own = types.SimpleNamespace(__file__="numba.py", **{function.__name__: function})
    weights = {"W_0": np.ones((2, 2)), "b": np.full(2, 5.0), "W_1": np.ones((2, 2))}
    model = framework.build(own, {name: weights[name] for name in names})
    inputs = framework.arrays([np.ones((1, 2))])
    outputs = framework.step(model, inputs, [(1, 2)]).prepare()(*inputs)
    return [array.tolist() for array in framework.to_numpy(outputs)]
"""

MISTAKES = """
def told(*made):
    try:
        run(*made)
    except Malformed as error:
        return str(error)

def nameless(x, mystery):
    return x

def forward(x, mystery):
    return x

print(json.dumps([told("forward", nameless, ["b"]), told("forward", forward, ["b"])]))
"""


def test_the_function_is_compiled_before_the_first_call_and_once_for_each_combination_of_types(
    python: "Python",
) -> None:
    # The last call is on float64, which is another combination than float32.
    assert json.loads(python(BUILD + FIRST_CALL).output) == ["compile", 0, 1, 1, 2]


def test_no_function_of_an_operation_computes_in_more_than_the_precision_of_the_cell(python: "Python") -> None:
    wide = json.loads(python(BUILD + f"OPERATIONS = {OPERATIONS!r}\n" + PRECISION).output)
    assert wide == {name: [] for name in OPERATIONS}


def test_arguments_are_bound_by_name_and_numbered_weights_come_as_a_tuple(python: "Python") -> None:
    program = BUILD + OWN_FILE + 'print(json.dumps(run("forward", forward, ["W_0", "b", "W_1"])))'
    assert json.loads(python(program).output) == [[[12.0, 12.0]]]


def test_gradients_are_returned_in_the_order_of_the_reference(python: "Python") -> None:
    program = BUILD + OWN_FILE + 'print(json.dumps(run("backward", backward, ["W_0", "b", "W_1"])))'
    loss, first, shift, second = json.loads(python(program).output)
    assert (loss, shift) == (2.0, [10.0, 10.0])
    assert (first, second) == ([[2.0, 2.0]] * 2, [[3.0, 3.0]] * 2)


def test_a_missing_function_and_an_argument_that_is_no_weight_are_named(python: "Python") -> None:
    missing, unknown = json.loads(python(BUILD + OWN_FILE + MISTAKES).output)
    assert missing == "numba.py has no function forward; write it"
    assert unknown.startswith("forward has the argument mystery, which is no weight")
    assert unknown.endswith("after the inputs it may have b, sizes")


@pytest.mark.parametrize("threads", [1, 2])
def test_parallel_loops_have_the_threads_of_the_cell(ask: "Ask", reported: "Reported", threads: int) -> None:
    found = reported(ask("numba", "njit-parallel", "softmax", task="forward", threads=threads, batch=3))
    assert found.verification.reason == ""
    settings = {each.name: (each.asked, each.got) for each in found.settings}
    assert settings["threads of parallel loops"] == (str(threads), str(threads))
    assert [each for each in found.settings if not each.honoured] == []


def test_other_modes_share_no_loop_and_say_nothing_of_threads(ask: "Ask", reported: "Reported") -> None:
    found = reported(ask("numba", "njit-fastmath", "softmax", task="backward", batch=3))
    assert found.verification.reason == ""
    assert "threads of parallel loops" not in {each.name for each in found.settings}
    assert found.build_info.startswith("LLVM ")


@pytest.mark.parametrize(
    ("workload", "task", "reason"),
    [
        ("attention", "forward", "the workload attention has no implementation for numba"),
        ("resnet", "backward", "the workload resnet has no implementation for numba"),
    ],
)
def test_a_workload_without_a_file_is_unsupported(
    ask: "Ask", work: "Work", workload: str, task: str, reason: str
) -> None:
    last = work(ask("numba", "njit", workload, task=task)).events[-1]
    assert isinstance(last, Failure)
    assert (last.outcome, last.reason) == ("unsupported", reason)
