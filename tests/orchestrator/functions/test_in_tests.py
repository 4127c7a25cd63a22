"""The framework and the dtype of a callable, found from what it returns without importing any framework."""

from types import SimpleNamespace

import numpy as np
import pytest

from orchestrator.errors import UsageError
from orchestrator.functions.in_tests import detect_result


def make_tensor(module: str, dtype: object) -> object:
    """Return an object that looks like a framework's tensor to whoever has not imported the framework."""
    return type("Tensor", (), {"__module__": module, "dtype": dtype})()


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (np.ones(3, np.float64), ("numpy", "float64")),
        ({"loss": 1.0, "scores": [np.ones(3, np.float32)]}, ("numpy", "float32")),
        (make_tensor("torch", "torch.float64"), ("torch", "float64")),
        (make_tensor("torch.nn.parameter", "torch.bfloat16"), ("torch", "bfloat16")),
        (make_tensor("tensorflow.python.framework.ops", SimpleNamespace(name="float64")), ("tensorflow", "float64")),
        ((make_tensor("jaxlib._jax", np.dtype("float64")), None), ("jax", "float64")),
        (make_tensor("jaxlib._jax", SimpleNamespace(name="bfloat16")), ("jax", "bfloat16")),
        (make_tensor("jaxlib._jax", np.dtype("int32")), ("jax", "float32")),
    ],
)
def test_the_first_tensor_of_a_result_decides(made: object, found: tuple[str, str]) -> None:
    assert detect_result("fast", made) == found


def test_results_without_tensors_are_refused() -> None:
    with pytest.raises(UsageError, match="fast returns a dict without tensors or arrays; return the results"):
        detect_result("fast", {"loss": 1.0, "name": "text", "none": None})
