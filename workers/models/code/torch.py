"""PyTorch models as they are: modules with constructors of their own, or functions of tensors."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

from schemas.job import OWN_TRAINING, TRAINING_TASKS, Cell
from workers.arrays import Array
from workers.contract import find_place
from workers.errors import Malformed
from workers.frameworks import to_tuple
from workers.frameworks.torch_flat import FlatModule
from workers.frameworks.torch_mode import AdaptedModel, Call
from workers.frameworks.torch_state import find_dropout, keep_buffers
from workers.frameworks.torch_training import check_optimiser
from workers.models.code.nested import NestedAdapter, list_leaves, seed_python
from workers.models.code.source import ModelCode

COMPLEX_DTYPES = {
    torch.float64: torch.complex128,
    torch.float32: torch.complex64,
    torch.bfloat16: torch.complex64,
    torch.float16: torch.complex64,
}


class FunctionModule(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function: Call) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Call the function."""
        return self.function(*inputs, **named)


class Adapter(NestedAdapter):
    """A PyTorch model of a user."""

    kinds = (torch.Tensor, np.ndarray)
    noun = "tensor"

    def __init__(self, code: ModelCode, cell: Cell, seed: int) -> None:
        super().__init__(code, cell, seed)
        # Before the model is finished, it computes in the precision that its user has written it for.
        self._dtype, self._device = torch.float32, torch.device("cpu")

    def open_drawing(self, seed: int) -> AbstractContextManager[Any]:
        """Seed the generators that models and inputs draw from, in single precision and without gradients."""
        seed_generators(seed)
        torch.set_default_dtype(torch.float32)
        return torch.no_grad()

    def open_call(self) -> AbstractContextManager[Any]:
        """Return the context without gradients."""
        return torch.no_grad()

    def to_tensor(self, value: Any) -> torch.Tensor:
        """Convert an array to a tensor, floating-point numbers to the precision of the model."""
        return cast_tensor(torch.as_tensor(value), self._dtype, self._device)

    def to_array(self, tensor: Any) -> Array:
        """Convert a tensor to an array."""
        return to_array(torch.as_tensor(tensor))

    def build(self) -> None:
        """Build the model with the weights that the seed gives; lazy parameters get their shapes by one call."""
        torch.set_default_dtype(torch.float32)
        seed_generators(self._seed)
        made = self._code.build_model()
        if not callable(made):
            raise Malformed(
                f"{self._code.source.title} gives a {type(made).__name__}, which is no model", self._code.place
            )
        self.written = made
        self.module = made if isinstance(made, torch.nn.Module) else FunctionModule(made)
        # Where a class mixes modes of its own, they stay: only a training step puts the whole model in training.
        self.module.train(self.is_training)
        self._dropout = find_dropout(self.module)
        self._dropout.switch_rates(on=False)
        if any(torch.nn.parameter.is_lazy(each) for each in self.module.parameters()):
            self._call_on_example()

    def list_notes(self) -> list[str]:
        """Return what a reader of the results must know."""
        if not (self.is_training and self._dropout.layers):
            return []
        return [self._dropout.describe_use(timed=self._cell.task in TRAINING_TASKS)]

    def name_random(self) -> str:
        """Return the layers that probably draw the random numbers, in parentheses; empty: none is known to."""
        kinds = {type(each).__name__ for each in self.module.modules() if "rand" in type(each).__name__.lower()}
        return f" ({', '.join(sorted(kinds))})" if kinds else ""

    def call_written(self, tensors: Sequence[Any]) -> Any:
        """Call the model as its author does."""
        arguments, named = self.arrange_inputs(tensors)
        return self.module(*arguments, **named)

    def read_state(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the parameters and the buffers by name, in the model's order."""
        parameters = {name: to_array(each) for name, each in self.module.named_parameters()}
        return parameters, {name: to_array(each) for name, each in self.module.named_buffers()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Give parameters and buffers these values."""
        with torch.no_grad():
            for name, tensor in (*self.module.named_parameters(), *self.module.named_buffers()):
                tensor.copy_(torch.as_tensor(np.array(state[name])))

    def make_loss(self, coefficients: Sequence[Array]) -> Call:
        """Return the loss of a call's outputs: the file's, or one that compares them with fixed random tensors.

        For a backward pass, it is their inner product. Training would drive that to minus infinity, so there it is the
        mean square of their differences.
        """
        own = self._code.loss
        if own is not None:
            return own if self.plain else lambda tensors: own(self.rebuild_outputs(tensors))
        fixed = [self.to_tensor(each) for each in coefficients]

        def multiply_outputs(outputs: Any) -> Any:
            products = zip(filter(is_inexact, to_tuple(outputs)), fixed, strict=True)
            return sum((torch.real(each) * factor).sum() for each, factor in products)

        def compare_outputs(outputs: Any) -> Any:
            pairs = zip(filter(is_inexact, to_tuple(outputs)), fixed, strict=True)
            return sum((torch.real(each) - target).square().mean() for each, target in pairs)

        return compare_outputs if self.compares_outputs else multiply_outputs

    def find_trained(self, coefficients: Sequence[Array]) -> list[str]:
        """Return the names of the parameters that the loss depends on, in the model's order.

        Raises:
            Malformed: the loss is no number, or depends on no parameter.
        """
        loss = self.make_loss(coefficients)
        with torch.enable_grad():
            value = loss(self._call_as_tensors())
            if not isinstance(value, torch.Tensor) or value.numel() != 1 or not value.is_floating_point():
                raise self.refuse_loss()
            if not value.requires_grad:
                raise self.refuse_gradients()
            value.backward()
        found = [name for name, each in self.module.named_parameters() if each.grad is not None]
        self.module.zero_grad(set_to_none=True)
        return found

    def count_flops(self, coefficients: Sequence[Array]) -> int:
        """Count the operations of the matrix products, convolutions and attention of one call of the task."""
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            if self.is_training:
                with torch.enable_grad():
                    self.make_loss(coefficients)(self._call_as_tensors()).backward()
                self.module.zero_grad(set_to_none=True)
            else:
                self._call_on_example()
        return int(counter.get_total_flops())

    def _call_as_tensors(self) -> Any:
        made = self.call_written([self.to_tensor(each) for each in self._example])
        return made if self.plain else tuple(self.list_outputs(made))

    def finish(self, trained: Sequence[str], coefficients: Sequence[Array], *, plain: bool) -> AdaptedModel:
        """Return the model in the cell's dtype and on its device. Parameters that the loss ignores are frozen."""
        self._dtype, self._device = getattr(torch, self._cell.dtype), torch.device(self._cell.device)
        torch.set_default_dtype(self._dtype)
        cast_module(self.module, self._dtype, self._device)
        for name, parameter in self.module.named_parameters():
            parameter.requires_grad_(self.is_training and name in trained)
        if self._code.loss is not None and not plain and self.is_training:
            self.describe_outputs()  # loss(outputs) takes them as they come
        self._is_plain = plain
        dropout = self._dropout if self._cell.task in TRAINING_TASKS and self._dropout.layers else None
        further = (self.make_loss(coefficients), keep_buffers(self.module), self._find_optimiser(), dropout)
        if plain:
            return AdaptedModel(self.module, self.written, keep_call, *further)
        arrangement, kinds = self._arrangement, self.kinds
        assert arrangement is not None

        def flatten(call: Call) -> Call:
            def call_flat(*tensors: Any) -> tuple[Any, ...]:
                arguments, named = arrangement.arrange(tensors)
                return tuple(list_leaves(call(*arguments, **named), kinds))

            return call_flat

        flat = FlatModule(self.module, arrangement.arrange, lambda made: tuple(list_leaves(made, kinds)))
        return AdaptedModel(flat, self.written, flatten, *further)

    def _find_optimiser(self) -> Call | None:
        """Return what makes the optimiser of the file, if the task asks for it."""
        if self._cell.task != OWN_TRAINING:
            return None
        make = self._code.find_optimizer("parameters")
        return lambda parameters: check_optimiser(make(parameters), find_place(self._code.module, "optimizer"))


def keep_call(call: Call) -> Call:
    """Return a call as it is: the model takes and returns tensors alone."""
    return call


def seed_generators(seed: int) -> None:
    """Seed the generators that models and inputs draw from."""
    torch.manual_seed(seed)
    seed_python(seed)


def is_array(value: Any) -> bool:
    """Return whether an argument is a tensor, or an array that stands for one."""
    return isinstance(value, Adapter.kinds)


def is_inexact(tensor: torch.Tensor) -> bool:
    """Return whether a tensor can have a gradient."""
    return tensor.is_floating_point() or tensor.is_complex()


def to_array(tensor: torch.Tensor) -> Array:
    """Convert a tensor to an array. NumPy has no bfloat16, whose numbers float32 holds."""
    plain = tensor.detach().to("cpu")
    if plain.is_sparse:
        plain = plain.to_dense()
    return (plain.float() if plain.dtype in (torch.bfloat16, torch.float16) else plain).contiguous().numpy().copy()


def cast_module(module: torch.nn.Module, dtype: torch.dtype, device: torch.device) -> None:
    """Move a module to a device, and its floating-point and complex tensors to the precision of a dtype."""
    module._apply(lambda tensor: cast_tensor(tensor, dtype, device))  # noqa: SLF001 (`to` would drop imaginary parts)


def cast_tensor(tensor: torch.Tensor, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Move a tensor to a device, and to the precision of a dtype unless it holds integers or booleans."""
    if tensor.is_complex():
        return tensor.to(device, COMPLEX_DTYPES[dtype])
    return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
