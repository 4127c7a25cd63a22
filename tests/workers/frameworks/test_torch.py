"""PyTorch's modules: their state, the statistics among their buffers, their random parts and their nested outputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from schemas.job import Cell
from workers.errors import Malformed

torch = pytest.importorskip("torch")

from workers.frameworks import torch as ours  # noqa: E402 (torch must be there)
from workers.frameworks import torch_flat, torch_state, torch_training  # noqa: E402


def a_module() -> Any:  # noqa: ANN401 (torch has no types here)
    """Return a module with parameters, statistics, a mask, a count and a constant."""
    made = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5))
    made.register_buffer("mask", torch.ones(4, dtype=torch.bool))
    made.register_buffer("scale", torch.full((2,), 3.0))
    return made


def test_the_state_of_a_module_is_its_parameters_then_its_statistics() -> None:
    assert list(torch_state.list_state(a_module())) == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
    ]


def test_weights_are_loaded_by_name() -> None:
    source, module = a_module(), a_module()
    tensors = {name: each.detach().clone() for name, each in torch_state.list_state(source).items()}
    torch_state.load_weights(module, dict(reversed(tensors.items())))
    assert all(torch.equal(each, tensors[name]) for name, each in torch_state.list_state(module).items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"2.weight": torch.ones(1)}, "Model has no weight 2.weight"),
        ({"0.bias": None}, "Model has the weight 0.bias, but reference.py draws none of that name"),
        ({"0.bias": torch.ones(5)}, "the weight 0.bias has the shape (4,), not (5,)"),
    ],
)
def test_a_weight_that_does_not_fit_is_named(change: Mapping[str, Any], said: str) -> None:
    changed = {**torch_state.list_state(a_module()), **change}
    with pytest.raises(Malformed) as caught:
        torch_state.load_weights(a_module(), {name: each for name, each in changed.items() if each is not None})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("running", "found"),
    [
        ({}, []),
        ({"1.running_mean": (4,), "1.running_var": (4,)}, ["1.running_mean", "1.running_var"]),
        ({"running_first": (4,), "running_second": (4,)}, ["1.running_mean", "1.running_var"]),
        ({"running_a": (2,), "running_b": (4,), "running_c": (4,)}, ["1.running_mean", "1.running_var", "scale"]),
    ],
)
def test_statistics_are_found_among_the_buffers(running: Mapping[str, Sequence[int]], found: list[str]) -> None:
    module = a_module()
    # BatchNorm's buffers come after those of the module around it.
    buffers = {id(each): name for name, each in module.named_buffers()}
    assert sorted(buffers[id(each)] for each in torch_training.select_statistics(module, running)) == sorted(found)


def test_statistics_that_are_not_there_are_named() -> None:
    with pytest.raises(Malformed, match=r"but reference\.py draws the statistics running_a"):
        torch_training.select_statistics(a_module(), {"running_a": (7,)})


def test_modules_that_drop_values_are_found_in_training_alone() -> None:
    parts = torch.nn.ModuleList(
        [torch.nn.Dropout(0.1), torch.nn.Dropout(0.0), torch.nn.LSTM(2, 2, 2, dropout=0.2), torch.nn.Linear(1, 1)]
    )
    framework = ours.Framework(Cell(framework="torch", mode="eager", workload="mlp"))
    assert framework.list_random_parts(parts) == ["Dropout 0", "LSTM 2"]
    assert framework.list_random_parts(parts.eval()) == []


def test_sparse_conjugated_and_complex_tensors_become_arrays() -> None:
    dense = torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    assert np.array_equal(ours.to_dense(dense.to_sparse()), dense.numpy())
    twisted = torch.tensor([1 + 2j]).conj()
    assert ours.to_dense(twisted).tolist() == [1 - 2j]
    assert ours.to_dense(torch.tensor(True)).tolist() is True


@pytest.mark.parametrize(
    ("made", "nested"),
    [("x", False), ("(x, x)", False), ("[x]", True), ("{'a': x}", True), ("(x, (x, x))", True), ("(x, None)", True)],
)
def test_outputs_beyond_a_tuple_of_tensors_are_nested(made: str, *, nested: bool) -> None:
    def model(x: object) -> object:
        return eval(made, {"x": x})  # the text is above

    example = (torch.ones(2),)
    assert torch_flat.has_nested_outputs(model, example) is nested
    flat = torch_flat.flatten_module_outputs(model(*example))
    assert all(isinstance(each, torch.Tensor) for each in flat)
