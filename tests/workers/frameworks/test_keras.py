"""Keras on its backends: each mode has its backend, and its layers have the settings that a workload needs."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.catalog import FRAMEWORKS

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Reported

pytestmark = pytest.mark.skipif(find_spec("keras") is None, reason="keras is not installed")

(KERAS,) = (known for known in FRAMEWORKS if known.name == "keras")
BACKENDS = ("torch", "tensorflow", "jax")

A_MODEL = """
import numpy as np
from schemas.job import Cell
from workers.frameworks import import_framework
from workers.workloads import import_implementation

PARAMETERS = {"input": 3, "hidden": 4, "size": 4, "maximum": 5}
mode, workload, task = MODE, WORKLOAD, TASK
framework = import_framework("keras", f"workers.frameworks.keras_{mode.partition('-')[0]}")(
    Cell(framework="keras", mode=mode, workload=workload, task=task, parameters=PARAMETERS)
)
framework.apply_settings()
implementation = import_implementation(workload, "keras")
"""


@pytest.fixture
def tell(python: "Python") -> Callable[..., str]:
    """Run a program after one that has made a framework, and return the last line of its output."""

    def run(program: str, mode: str, workload: str = "rnn_cell", task: str = "backward") -> str:
        if find_spec(mode.partition("-")[0]) is None:
            pytest.skip(f"{mode} needs a backend that is not installed")
        values = {"MODE": mode, "WORKLOAD": workload, "TASK": task}
        text = A_MODEL
        for name, value in values.items():
            text = text.replace(f" {name}", f" {value!r}")
        ended = python(text + program)
        assert ended.status == 0, ended.log
        return ended.output.decode().splitlines()[-1]

    return run


def test_every_mode_has_the_module_and_the_package_of_its_backend() -> None:
    for mode in KERAS.modes:
        backend = mode.name.partition("-")[0]
        assert mode.module == f"workers.frameworks.keras_{backend}"
        assert [*mode.needs] == [backend]


def test_no_two_backends_share_a_template() -> None:
    assert len({mode.module for mode in KERAS.modes}) == len(BACKENDS)


def test_a_backend_comes_with_the_requirement_of_its_own_framework() -> None:
    known = {framework.name: framework.requirement for framework in FRAMEWORKS}
    assert all(mode.needs == {backend: known[backend]} for mode in KERAS.modes for backend in mode.needs)


@pytest.mark.long
@pytest.mark.parametrize("mode", [*BACKENDS])
def test_a_keras_json_of_the_user_decides_nothing(
    tell: Callable[..., str], mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = "jax" if mode == "torch" else "torch"
    text = f'{{"backend": "{other}", "floatx": "float16", "epsilon": 0.5, "image_data_format": "channels_first"}}'
    tmp_path.joinpath("keras.json").write_text(text)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", other)
    program = "print([each.got for each in framework.read_settings() if each.name.startswith('Keras')][:4])"
    assert tell(program, mode) == f"['{mode}', 'float32', 'channels_last', '1e-07']"


MISTAKEN = """
CHANGE
weights = {"W": np.eye(4)}
try:
    framework.build(implementation, weights)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.long
def test_a_model_that_forgets_a_variable_is_malformed_and_named(tell: Callable[..., str]) -> None:
    change = "implementation.Model.weights = property(lambda self: [], lambda self, given: None)"
    told = tell(MISTAKEN.replace("CHANGE", change), "torch", "matmul")
    assert told.startswith("Malformed Model has 0 weights, but reference.py draws 1 (W); keep each as a variable of a")


@pytest.mark.long
def test_a_layer_of_another_precision_is_malformed(tell: Callable[..., str]) -> None:
    change = "import keras; keras.config.set_dtype_policy('float64')"
    told = tell(MISTAKEN.replace("CHANGE", change), "torch", "matmul")
    assert told.startswith(
        "Malformed Model: the weight sequential/dense/kernel is float64, but this computes in float3"
    )


LAYOUT = """
weights = {"W_h": np.arange(16.0).reshape(4, 4), "W_x": np.arange(12.0).reshape(4, 3)}
model = framework.build(implementation, weights)
own = [each.numpy() for each in framework._built.trained]
print(own[0].shape, all((a == b).all() for a, b in zip(framework.to_reference(own), weights.values())))
"""


@pytest.mark.long
def test_kernels_are_transposed_and_come_back_in_the_order_of_the_reference(tell: Callable[..., str]) -> None:
    assert tell(LAYOUT, "torch", task="forward") == "(3, 4) True"


IN_FLOAT64 = {"lstm_lm": {"length": 4}, "transformer_encoder": {"length": 4, "layers": 1}}


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "workload"),
    [
        ("torch", "lstm_lm"),
        ("torch", "transformer_encoder"),
        ("tensorflow-function", "lstm_lm"),
        ("jax-jit", "lstm_lm"),
    ],
)
def test_layers_are_right_in_float64_too(ask: "Ask", reported: "Reported", mode: str, workload: str) -> None:
    sizes = IN_FLOAT64[workload]
    found = reported(ask("keras", mode, workload, sizes, dtype="float64", task="backward", batch=2)).verification
    assert found.reason == ""
    assert all(check.passed and check.tolerance < 1e-6 for check in found.checks)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["tensorflow-function", "jax-jit"])
def test_a_number_that_a_backend_keeps_in_float32_is_found_in_float64(
    ask: "Ask", reported: "Reported", mode: str
) -> None:
    sizes = IN_FLOAT64["transformer_encoder"]
    spec = ask("keras", mode, "transformer_encoder", sizes, dtype="float64", task="backward", batch=2)
    found = reported(spec).verification
    assert "is off by" in found.reason
    assert all(check.error is not None and check.error < 1e-6 for check in found.checks)


@pytest.mark.long
def test_a_loop_that_jax_cannot_differentiate_is_unsupported_with_the_reason(tell: Callable[..., str]) -> None:
    program = """
weights = {"W_h": np.eye(4), "W_x": np.ones((4, 3)), "b": np.zeros(4), "w_p": np.ones((1, 4)), "b_p": np.zeros(1)}
model = framework.build(implementation, weights)
try:
    framework.step(model, framework.arrays([np.ones((2, 3))]), [(2, 3)]).prepare()
except Exception as error:
    print(type(error).__name__, error)
"""
    told = tell(program, "jax-jit", "early_exit")
    assert (
        told == "Unsupported keras.ops.while_loop is lax.while_loop here, and JAX does not differentiate it in reverse"
    )
