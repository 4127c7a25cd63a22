"""PyTorch models as they are: modules with constructors of their own, or functions of tensors."""

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from schemas.job import TRAINING_TASKS, Cell
from workers.arrays import Array
from workers.errors import Malformed
from workers.frameworks.torch_mode import AdaptedModel, Call
from workers.models.source import ModelCode

DROPOUTS = torch.nn.modules.dropout._DropoutNd  # noqa: SLF001 (the only common class of dropout layers)
COMPLEX_DTYPES = {torch.float64: torch.complex128, torch.float32: torch.complex64, torch.bfloat16: torch.complex64}


class FunctionModule(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function: Call) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Call the function."""
        return self.function(*inputs, **named)


class FlatModule(torch.nn.Module):
    """A module that takes the tensors among its arguments, and returns the tensors among its results."""

    def __init__(self, model: torch.nn.Module, arrangement: "Arrangement") -> None:
        super().__init__()
        self.model, self.arrangement = model, arrangement

    def forward(self, *tensors: Any) -> Any:
        """Call the model, and return the tensors among its results."""
        arguments, named = self.arrangement.arrange(tensors)
        return tuple(list_tensors(self.model(*arguments, **named)))


class Arrangement:
    """The arrangement of the tensors among the arguments of a call."""

    def __init__(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self._leaves, self._form = pytree.tree_flatten((arguments, dict(named)))
        self._places = [place for place, leaf in enumerate(self._leaves) if is_array(leaf)]
        # Only their places matter: as attributes of a module, they would become constants of its graph.
        self._others = [None if is_array(leaf) else leaf for leaf in self._leaves]
        self.plain = not named and len(arguments) == len(self._places) and all(map(is_array, arguments))

    def flatten(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> list[Any]:
        """Return the tensors among the arguments of a call like the first one.

        Raises:
            Malformed: the arguments are arranged in another way.
        """
        leaves, form = pytree.tree_flatten((arguments, dict(named)))
        if form != self._form or [place for place, leaf in enumerate(leaves) if is_array(leaf)] != self._places:
            raise Malformed("the inputs function returns another arrangement of tensors each time; make it the same")
        return [leaves[place] for place in self._places]

    def arrange(self, tensors: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call with these tensors."""
        leaves = list(self._others)
        for place, tensor in zip(self._places, tensors, strict=True):
            leaves[place] = tensor
        arguments, named = pytree.tree_unflatten(leaves, self._form)
        return arguments, named


class Adapter:
    """A PyTorch model of a user."""

    def __init__(self, code: ModelCode, cell: Cell, seed: int) -> None:
        self._code, self._cell, self._seed = code, cell, seed
        self._arrangement: Arrangement | None = None
        self._example: list[Any] = []
        self._is_plain: bool | None = None

    @property
    def code(self) -> ModelCode:
        """Return the code of the model."""
        return self._code

    def draw_inputs(self, seed: int) -> tuple[Array, ...]:
        """Draw a set of inputs, flattened to arrays; the first call decides how they are arranged."""
        torch.set_default_dtype(torch.float32)
        seed_generators(seed)
        with torch.no_grad():
            arguments, named = self._code.draw_inputs(self._cell.batch, self._cell.parameters, seed)
        if self._arrangement is None:
            self._arrangement = Arrangement(arguments, named)
        drawn = [torch.as_tensor(each) for each in self._arrangement.flatten(arguments, named)]
        if not drawn:
            raise Malformed("the inputs function returns no tensor; return the tensors of one call", self._code.place)
        self._example = self._example or drawn
        return tuple(map(to_array, drawn))

    def set_example(self, inputs: Sequence[Array]) -> None:
        """Use these inputs, flattened to arrays, wherever the model is called without others."""
        self._example = [torch.as_tensor(each) for each in inputs]

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
        self.module.train(self._cell.task != "forward")
        self._dropouts = [each for each in self.module.modules() if switch_off_dropout(each)]
        if any(torch.nn.parameter.is_lazy(each) for each in self.module.parameters()):
            with torch.no_grad():
                self.call_written(self._example)

    def call_example(self) -> list[Array]:
        """Call the model on the first inputs, and return the outputs as arrays."""
        with torch.no_grad():
            return list(map(to_array, list_tensors(self.call_written(self._example))))

    def list_notes(self) -> list[str]:
        """Return what a reader of the results must know."""
        if self._cell.task == "forward" or not self._dropouts:
            return []
        return [f"dropout is off (layers: {len(self._dropouts)}), so that results can be verified"]

    def name_random(self) -> str:
        """Return the layers that probably draw the random numbers, in parentheses; empty: none is known to."""
        kinds = {type(each).__name__ for each in self.module.modules() if "rand" in type(each).__name__.lower()}
        return f" ({', '.join(sorted(kinds))})" if kinds else ""

    def call_written(self, tensors: Sequence[Any]) -> Any:
        """Call the model as its author does."""
        assert self._arrangement is not None
        arguments, named = self._arrangement.arrange(tensors)
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

    def describe_outputs(self) -> list[tuple[tuple[int, ...], bool]]:
        """Call the model once on the first inputs; return each output's shape, and whether it can have a gradient."""
        with torch.no_grad():
            self.outputs = self.call_written(self._example)
        found = list_tensors(self.outputs)
        if not found:
            kind = type(self.outputs).__name__
            raise Malformed(
                f"{self._code.source.title} returns a {kind} without tensors; return the results", self._code.place
            )
        return [(tuple(each.shape), each.is_floating_point() or each.is_complex()) for each in found]

    @property
    def plain(self) -> bool:
        """Return whether a call takes and returns nothing but tensors, one or a tuple of them."""
        assert self._arrangement is not None
        if self._is_plain is None:
            made = self.outputs if type(self.outputs) is tuple else (self.outputs,)
            self._is_plain = self._arrangement.plain and all(isinstance(each, torch.Tensor) for each in made)
        return self._is_plain

    def make_loss(self, coefficients: Sequence[Array]) -> Call:
        """Return the loss of a call's outputs: the file's, or one that compares them with fixed random tensors.

        For a backward pass, it is their inner product. Training would drive that to minus infinity, so there it is the
        mean square of their differences.
        """
        own = self._code.loss
        if own is not None:
            return own if self.plain else lambda tensors: own(rebuild_value(self.outputs, iter(tensors)))
        device, dtype = torch.device(self._cell.device), getattr(torch, self._cell.dtype)
        fixed = [torch.as_tensor(each).to(device, dtype) for each in coefficients]

        def multiply_outputs(outputs: Any) -> Any:
            products = zip(filter(can_differ, list_tensors(outputs)), fixed, strict=True)
            return sum((torch.real(each) * factor).sum() for each, factor in products)

        def compare_outputs(outputs: Any) -> Any:
            pairs = zip(filter(can_differ, list_tensors(outputs)), fixed, strict=True)
            return sum((torch.real(each) - target).square().mean() for each, target in pairs)

        return compare_outputs if self._cell.task in TRAINING_TASKS else multiply_outputs

    def find_trained(self, coefficients: Sequence[Array]) -> list[str]:
        """Return the names of the parameters that the loss depends on, in the model's order.

        Raises:
            Malformed: the loss is no number, or depends on no parameter.
        """
        loss = self.make_loss(coefficients)
        with torch.enable_grad():
            value = loss(self._call_as_tensors(self._example))
            if not isinstance(value, torch.Tensor) or value.numel() != 1:
                raise Malformed("loss(outputs) must return one number as a tensor", self._code.place)
            if not value.requires_grad:
                raise Malformed(
                    f"the loss of {self._code.source.title} depends on no parameter; measure it with --tasks forward",
                    self._code.place,
                )
            value.backward()
        found = [name for name, each in self.module.named_parameters() if each.grad is not None]
        self.module.zero_grad(set_to_none=True)
        return found

    def count_flops(self, coefficients: Sequence[Array]) -> int:
        """Count the operations of the matrix products, convolutions and attention of one call of the task."""
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            if self._cell.task == "forward":
                self.call_written(self._example)
            else:
                with torch.enable_grad():
                    self.make_loss(coefficients)(self._call_as_tensors(self._example)).backward()
                self.module.zero_grad(set_to_none=True)
        return int(counter.get_total_flops())

    def _call_as_tensors(self, tensors: Sequence[Any]) -> Any:
        made = self.call_written(tensors)
        return made if self.plain else tuple(list_tensors(made))

    def finish(self, trained: Sequence[str], coefficients: Sequence[Array], *, plain: bool) -> AdaptedModel:
        """Return the model in the cell's dtype and on its device. Parameters that the loss ignores are frozen."""
        dtype, device = getattr(torch, self._cell.dtype), torch.device(self._cell.device)
        torch.set_default_dtype(dtype)
        cast_module(self.module, dtype, device)
        for name, parameter in self.module.named_parameters():
            parameter.requires_grad_(self._cell.task != "forward" and name in trained)
        if self._code.loss is not None and not plain and self._cell.task != "forward":
            self._example = [cast_tensor(each, dtype, device) for each in self._example]
            self.describe_outputs()  # loss(outputs) takes them as they come
        arrangement = self._arrangement
        assert arrangement is not None
        self._is_plain = plain
        loss = self.make_loss(coefficients)
        restore = self._keep_buffers()
        if plain:
            return AdaptedModel(self.module, self.written, keep_call, loss, restore)

        def flatten(call: Call) -> Call:
            def call_flat(*tensors: Any) -> tuple[Any, ...]:
                arguments, named = arrangement.arrange(tensors)
                return tuple(list_tensors(call(*arguments, **named)))

            return call_flat

        return AdaptedModel(FlatModule(self.module, arrangement), self.written, flatten, loss, restore)

    def _keep_buffers(self) -> Callable[[], None]:
        kept = [(buffer, buffer.detach().clone()) for buffer in self.module.buffers()]

        def restore() -> None:
            with torch.no_grad():
                for buffer, first in kept:
                    buffer.copy_(first)

        return restore


def keep_call(call: Call) -> Call:
    """Return a call as it is: the model takes and returns tensors alone."""
    return call


def switch_off_dropout(module: torch.nn.Module) -> bool:
    """Set the rates of dropout of a module itself to zero, and return whether there were any.

    The module stays in its mode: other parts of it may behave differently in training.
    """
    rates = [name for name, value in vars(module).items() if is_dropout_rate(module, name, value)]
    for name in rates:
        setattr(module, name, 0.0)
    return bool(rates)


def is_dropout_rate(module: torch.nn.Module, name: str, value: object) -> bool:
    """Return whether an attribute is a rate of dropout: of a layer, or of attention that drops without one."""
    named = "drop" in name or (name == "p" and isinstance(module, DROPOUTS))
    return named and isinstance(value, float) and value > 0


def seed_generators(seed: int) -> None:
    """Seed the generators that models and inputs draw from."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def is_array(value: Any) -> bool:
    """Return whether an argument is a tensor, or an array that stands for one."""
    return isinstance(value, torch.Tensor | np.ndarray)


def can_differ(tensor: torch.Tensor) -> bool:
    """Return whether a tensor can have a gradient."""
    return tensor.is_floating_point() or tensor.is_complex()


def to_array(tensor: torch.Tensor) -> Array:
    """Convert a tensor to an array. NumPy has no bfloat16, whose numbers float32 holds."""
    plain = tensor.detach().to("cpu")
    if plain.is_sparse:
        plain = plain.to_dense()
    return (plain.float() if plain.dtype in (torch.bfloat16, torch.float16) else plain).contiguous().numpy().copy()


def list_tensors(value: Any) -> list[torch.Tensor]:
    """Return the tensors in a result, in the order of its items, keys or fields."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [tensor for each in value.values() for tensor in list_tensors(each)]
    if isinstance(value, tuple | list):
        return [tensor for each in value for tensor in list_tensors(each)]
    if dataclasses.is_dataclass(value):
        return [tensor for field in dataclasses.fields(value) for tensor in list_tensors(getattr(value, field.name))]
    return []


def rebuild_value(value: Any, tensors: Iterator[torch.Tensor]) -> Any:
    """Return a result like this one, with these tensors in the places of its own."""
    if isinstance(value, torch.Tensor):
        return next(tensors)
    if isinstance(value, Mapping):
        items = {name: rebuild_value(each, tensors) for name, each in value.items()}
        return items if type(value) is dict else type(value)(**items)
    if isinstance(value, tuple | list):
        made = [rebuild_value(each, tensors) for each in value]
        return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **{name: rebuild_value(each, tensors) for name, each in named.items()})
    return value


def cast_module(module: torch.nn.Module, dtype: torch.dtype, device: torch.device) -> None:
    """Move a module to a device, and its floating-point and complex tensors to the precision of a dtype."""
    module._apply(lambda tensor: cast_tensor(tensor, dtype, device))  # noqa: SLF001 (`to` would drop imaginary parts)


def cast_tensor(tensor: torch.Tensor, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Move a tensor to a device, and to the precision of a dtype unless it holds integers or booleans."""
    if tensor.is_complex():
        return tensor.to(device, COMPLEX_DTYPES[dtype])
    return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
