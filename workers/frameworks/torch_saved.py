"""Files of PyTorch's modes: their writing, and their calling in a process without the model's source."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from schemas.event import PhaseName
from workers.frameworks import torch_aot, torch_script
from workers.frameworks.torch_flat import flatten_module_outputs
from workers.frameworks.torch_mode import Call, Subject, choose_call


@dataclass(frozen=True, slots=True)
class ArtefactFormat:
    """The artefact of a mode: the phase that makes it, and the functions that make, write and read it."""

    phase: PhaseName
    make: Callable[[Subject], Any]
    write: Callable[[Any, Path], object]
    read: Callable[[Path, str], tuple[Call, Any]]
    """Returns the call for a method's name, and the module that has the parameters."""


class MethodModule(torch.nn.Module):
    """One method of a model as a module that can be exported."""

    def __init__(self, model: Any, method: str) -> None:
        super().__init__()
        self.model, self.method = model, method

    def forward(self, *inputs: Any) -> Any:
        made = getattr(self.model, self.method)(*inputs)
        return flatten_module_outputs(made) if self.method == "forward" else made


def export_method(subject: Subject) -> Any:
    axes = {"inputs": tuple(torch_aot.list_open_axes(subject))}
    return torch_aot.export_module(MethodModule(subject.model, subject.method), subject, axes)


def read_program(path: Path, method: str) -> tuple[Call, Any]:
    module = torch.export.load(path).module()
    return module, module


def read_script(path: Path, method: str) -> tuple[Call, Any]:
    module = torch.jit.load(path)
    return choose_call(module, method), module


def read_package(path: Path, method: str) -> tuple[Call, Any]:
    # A package has the forward pass alone: gradients, and so parameters, are never asked for.
    return torch_aot.load_package(path), torch.nn.Module()


def make_script_format(phase: PhaseName, make: Callable[[Subject], Any]) -> ArtefactFormat:
    return ArtefactFormat(phase, make, torch.jit.save, read_script)


ARTEFACT_FORMATS = {
    "eager": ArtefactFormat("trace", export_method, torch.export.save, read_program),
    "trace": make_script_format("trace", torch_script.trace_module),
    "script": make_script_format("compile", torch_script.script_module),
    "script-freeze": make_script_format("compile", torch_script.freeze_module),
    "script-optimized": make_script_format("compile", torch_script.optimise_for_inference),
    "aot": ArtefactFormat("trace", torch_aot.export_forward, torch_aot.write_package, read_package),
}
