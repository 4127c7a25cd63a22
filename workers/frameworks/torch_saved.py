"""Files of PyTorch's modes: their writing, and their calling in a process without the model's source."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from schemas.event import PhaseName
from workers.frameworks import torch_aot, torch_script
from workers.frameworks.torch_mode import Call, Subject


@dataclass(frozen=True, slots=True)
class Saved:
    """The artefact of a mode: the phase that makes it, and the functions that make, write and read it."""

    phase: PhaseName
    make: Callable[[Subject], Any]
    write: Callable[[Any, Path], object]
    read: Callable[[Path, str], tuple[Call, Any]]
    """Returns the call for a method's name, and the module that has the parameters."""


class Method(torch.nn.Module):
    """One method of a model as a module that can be exported."""

    def __init__(self, model: Any, method: str) -> None:
        super().__init__()
        self.model, self.method = model, method

    def forward(self, *inputs: Any) -> Any:
        return getattr(self.model, self.method)(*inputs)


def exported(subject: Subject) -> Any:
    axes = {"inputs": tuple(torch_aot.open_axes(subject))}
    return torch_aot.exported(Method(subject.model, subject.method), subject, axes)


def read_program(path: Path, method: str) -> tuple[Call, Any]:
    module = torch.export.load(path).module()
    return module, module


def read_script(path: Path, method: str) -> tuple[Call, Any]:
    module = torch.jit.load(path)
    return getattr(module, method), module


def read_package(path: Path, method: str) -> tuple[Call, Any]:
    from torch._inductor import aoti_load_package

    # A package has the forward pass alone: gradients, and so parameters, are never asked for.
    return aoti_load_package(str(path)), torch.nn.Module()


def scripted(phase: PhaseName, make: Callable[[Subject], Any]) -> Saved:
    return Saved(phase, make, torch.jit.save, read_script)


SAVED = {
    "eager": Saved("trace", exported, torch.export.save, read_program),
    "trace": scripted("trace", torch_script.traced),
    "script": scripted("compile", torch_script.scripted),
    "script-freeze": scripted("compile", torch_script.freeze),
    "script-optimized": scripted("compile", torch_script.optimize),
    "aot": Saved("trace", torch_aot.export, torch_aot.package, read_package),
}
