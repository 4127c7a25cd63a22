"""Callables of a user's test that return PyTorch's tensors: without inputs, and with data of their own."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from workers.arrays import Array
from workers.frameworks import to_tuple
from workers.frameworks.torch_mode import AdaptedModel, Call
from workers.models.code import torch as torch_models
from workers.models.code.callable_adapter import CallableAdapter
from workers.models.code.callables import RUNNING
from workers.models.code.nested import list_leaves
from workers.models.code.torch import FunctionModule, seed_generators


def prepare_test(seed: int) -> None:
    """Give PyTorch the state in which a test expects it, and seed what the test draws from."""
    torch.set_grad_enabled(mode=True)
    seed_generators(seed)


def keep_state() -> Callable[[], None]:
    """Return what restores the present state, in which the test compares its callables."""
    gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()

    def restore() -> None:
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)

    return restore


class Adapter(CallableAdapter, torch_models.Adapter):
    """A callable of a user's test. It runs in the state in which the test compares it, gradients included."""

    def build(self) -> None:
        """Take the callable."""
        found = self.take_written()
        # A module as an attribute would be a part of this one, and be changed with it.
        self.written = partial(found) if isinstance(found, torch.nn.Module) else found
        self.module = FunctionModule(self.written)

    def call_written(self, tensors: Sequence[Any]) -> Any:  # noqa: ARG002 (there are none)
        """Call it as the test would."""
        with torch.enable_grad():
            RUNNING.restore()
            return self.written()

    def finish(self, trained: Sequence[str], coefficients: Sequence[Array], *, plain: bool) -> AdaptedModel:  # noqa: ARG002
        """Return the callable as it is."""
        RUNNING.restore()
        return AdaptedModel(self.module, self.written, flatten_results, to_tuple, lambda: None)


def flatten_results(call: Call) -> Call:
    """Return a call that returns tensors alone; each callable of a test may arrange them in its own way."""

    def call_flat() -> Any:
        made = call()
        return made if isinstance(made, torch.Tensor) else tuple(list_leaves(made, torch_models.Adapter.kinds))

    return call_flat
