"""Files of PyTorch's modes: their writing, and their calling in a process without the model's source, or beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from schemas.event import PhaseName
from workers.frameworks import torch_ahead, torch_aot, torch_compile, torch_script
from workers.frameworks.torch_flat import flatten_module_outputs
from workers.frameworks.torch_mode import Call, Phases, Subject, choose_call


@dataclass(frozen=True, slots=True)
class ArtefactFormat:
    """The artefact of a mode: the phase that makes it, and the functions that make, write and read it."""

    phase: PhaseName
    make: Callable[[Subject], Any]
    write: Callable[[Any, Path], object]
    read: Callable[[Path, str], tuple[Call, Any]]
    """Returns the call for a method's name, and the module that has the parameters."""


@dataclass(frozen=True, slots=True)
class CodeFormat:
    """The file of a mode that holds compiled code alone, beside which a process builds the model from its source."""

    make: Callable[[Subject, Callable[[], object]], Any]
    """Compiles what is saved; the second argument makes the first call of the mode's step."""
    write: Callable[[Any, Path], object]
    list_phases: Callable[[Path, Phases], Phases]
    """Lists the phases with the file, given those without it."""


def make_caches(subject: Subject, call: Callable[[], object]) -> bytes:
    return torch_compile.save_caches(call)


def write_caches(caches: bytes, path: Path) -> None:
    path.write_bytes(caches)


def list_cached_phases(path: Path, phases: Phases) -> Phases:
    def load_beside(subject: Subject) -> Subject:
        torch_compile.load_caches(path)
        return subject

    return [("load", load_beside), *phases]


def make_function(subject: Subject, call: Callable[[], object]) -> Any:
    return torch_ahead.compile_function(subject)


def list_function_phases(path: Path, phases: Phases) -> Phases:
    return [("load", lambda subject: torch_ahead.bind_model(torch_ahead.read_function(path), subject))]


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

CACHE_FORMAT = CodeFormat(make_caches, write_caches, list_cached_phases)
CODE_FORMATS = {
    "compile": CACHE_FORMAT,
    "compile-dynamic": CACHE_FORMAT,
    "compile-max-autotune": CACHE_FORMAT,
    "compile-regional": CACHE_FORMAT,
    "aot-compile": CodeFormat(make_function, torch_ahead.write_function, list_function_phases),
}
