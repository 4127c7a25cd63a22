"""The weights of a module by their own names: read from it, or loaded into it."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from workers import contract
from workers.dropout import Dropout
from workers.errors import Malformed
from workers.interfaces import is_running


def list_state(model: Any) -> dict[str, Any]:
    """Return the parameters by name, then the statistics that training moves. Other buffers are constants."""
    statistics = {name: each for name, each in model.named_buffers() if is_running(name)}
    return dict(model.named_parameters()) | statistics


def list_dropout_rates(module: Any) -> list[str]:
    """Return the attributes of a module that are rates at which it drops its values: its own, not its layers'.

    They have `drop` in their names in PyTorch and in its libraries; in layers for dropout, one is called `p`.
    """
    is_layer = "drop" in type(module).__name__.lower()
    rates = {name: value for name, value in vars(module).items() if "drop" in name or (is_layer and name == "p")}
    return [
        name for name, rate in rates.items() if isinstance(rate, float | int) and 0 < rate <= 1 and rate is not True
    ]


def find_dropout(model: torch.nn.Module) -> Dropout:
    """Find the rates at which the modules of a model drop their values."""
    return Dropout((module, list_dropout_rates(module)) for module in model.modules())


def keep_buffers(module: Any) -> Callable[[], None]:
    """Return a function that gives the buffers of a module their present values again."""
    kept = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]

    def restore_buffers() -> None:
        with torch.no_grad():
            for buffer, first in kept:
                buffer.copy_(first)

    return restore_buffers


def load_weights(model: Any, tensors: Mapping[str, Any]) -> Any:
    """Copy weights into a module by their names, and return it.

    Raises:
        Malformed: the names or shapes are not those of the module.
    """
    state, place = list_state(model), contract.find_place(type(model), "__init__")
    contract.check_names(tensors, state, place)
    with torch.no_grad():
        for name, tensor in tensors.items():
            if state[name].shape != tensor.shape:
                shapes = f"{tuple(state[name].shape)}, not {tuple(tensor.shape)}"
                raise Malformed(f"Model: the weight {name} has the shape {shapes} as reference.py draws it", place)
            state[name].copy_(tensor)
    return model
