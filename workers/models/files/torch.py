"""PyTorch models in files: TorchScript, and programs of torch.export. Both hold code, weights, and no class."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch.utils import _pytree as pytree

from schemas.job import Cell
from schemas.models import InputSignature, ModelSource
from workers.errors import Malformed, summarise_error
from workers.models.code.source import Call
from workers.models.code.torch import Adapter, is_array
from workers.models.files.file_code import FileCode
from workers.models.files.inputs import UNNAMED, describe_unknown

# Makes torch.load refuse what would run code while it is read, even where torch.export.load asks for it.
ONLY_WEIGHTS = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


class ScriptCode(FileCode):
    """A TorchScript file. It knows the number of its inputs, and neither their shapes nor their types."""

    def build_model(self) -> Any:
        """Load the script."""
        try:
            return torch.jit.load(self.source.file, map_location="cpu")
        except RuntimeError as error:
            raise Malformed(f"{self.source.title} cannot be loaded: {summarise_error(error)}") from error

    def list_inputs(self) -> Sequence[InputSignature]:
        """Return the inputs as the user describes them."""
        names = [each.name for each in self.build_model().forward.schema.arguments[1:] if not each.has_default_value()]
        return describe_unknown(self.source, names)

    def arrange(self, arrays: tuple[Any, ...]) -> Call:
        """Return the arguments of a call with these arrays."""
        return tuple(map(torch.as_tensor, arrays)), {}


class ProgramModule(torch.nn.Module):
    """An exported program as a module. Its graph has been fixed for evaluation or training when it was exported."""

    def __init__(self, program: Any) -> None:
        super().__init__()
        self.program = program

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Call the program."""
        return self.program(*inputs, **named)

    def train(self, mode: bool = True) -> "ProgramModule":  # noqa: ARG002 (as in PyTorch)
        """Do nothing, where PyTorch would raise an error."""
        return self


class ProgramCode(FileCode):
    """A program of torch.export, which knows its inputs."""

    @cached_property
    def _program(self) -> Any:
        os.environ[ONLY_WEIGHTS] = "1"
        try:
            return torch.export.load(self.source.file)
        except Exception as error:  # whatever a damaged archive leads to
            raise Malformed(f"{self.source.title} cannot be loaded: {summarise_error(error)}") from error
        finally:
            del os.environ[ONLY_WEIGHTS]

    def build_model(self) -> Any:
        """Load the program anew: the adapter changes its weights."""
        program = self._program
        del self._program
        return ProgramModule(program.module())

    def list_inputs(self) -> Sequence[InputSignature]:
        """Return the tensors among the inputs."""
        values = {node.name: node.meta.get("val") for node in self._program.graph.nodes if node.op == "placeholder"}
        named = ((name, values.get(name)) for name in self._program.graph_signature.user_inputs)
        return [describe_tensor(name, value) for name, value in named if isinstance(value, torch.Tensor)]

    def arrange(self, arrays: tuple[Any, ...]) -> Call:
        """Return the arguments of a call with these arrays, and the numbers of the exported call in their places."""
        tensors, program = tuple(map(torch.as_tensor, arrays)), self._program
        if program.example_inputs is None:
            return tensors, {}
        given = iter(tensors)
        leaves, form = pytree.tree_flatten(program.example_inputs)
        return pytree.tree_unflatten([next(given) if is_array(leaf) else leaf for leaf in leaves], form)


def describe_tensor(name: str, value: Any) -> InputSignature:
    """Describe an input of a program, whose open sizes are symbols such as s77."""
    sizes = tuple(size if isinstance(size, int) else UNNAMED for size in value.shape)
    return InputSignature(name, str(value.dtype).removeprefix("torch."), sizes, {}, None)


CODES: Mapping[str, type[FileCode]] = {"torchscript": ScriptCode, "exported-program": ProgramCode}


def make_adapter(source: ModelSource, cell: Cell, seed: int) -> Adapter:
    """Adapt a file to PyTorch's modes."""
    code: Any = CODES[source.kind](source, cell, seed)
    return Adapter(code, cell, seed)
