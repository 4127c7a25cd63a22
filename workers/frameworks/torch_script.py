"""TorchScript, PyTorch's JIT compiler: traced, scripted, and scripted for inference alone."""

from typing import Any

import torch

from workers.errors import Unsupported
from workers.frameworks.torch_flat import FlatModule, has_nested_outputs
from workers.frameworks.torch_mode import Call, Modes, Subject, choose_call


def count_scripted() -> int:
    """Count the functions that TorchScript has compiled from source in this process, methods included."""
    return len(torch.jit._state._python_cu.get_functions())  # noqa: SLF001 (no other count)


def trace_module(subject: Subject) -> Any:
    # Not torch.jit.trace(), which traces `forward` only; other tasks call another method.
    try:
        return torch.jit.trace_module(subject.model, {subject.method: subject.example})
    except RuntimeError:
        if subject.method != "forward" or not has_nested_outputs(subject.model, subject.example):
            raise
    return torch.jit.trace_module(FlatModule(subject.model), {subject.method: subject.example})


def trace_method(subject: Subject) -> Call:
    return choose_call(trace_module(subject), subject.method)


def script_module(subject: Subject) -> Any:
    if subject.method != "forward":
        # torch.jit.script compiles `forward` alone, unless the class marks another method for export.
        kind = type(subject.model)
        setattr(kind, subject.method, torch.jit.export(getattr(kind, subject.method)))
    scripted = torch.jit.script(subject.source)
    if isinstance(subject.source, torch.nn.Module) and not hasattr(scripted, subject.method):
        kind = type(subject.source)
        raise Unsupported(
            f"TorchScript compiles {kind.__name__} without a method {subject.method}, as it takes several types; "
            "call it in a module of your own, or measure torch:trace or torch:compile instead"
        )
    return scripted


def script_method(subject: Subject) -> Call:
    return subject.flatten(choose_call(script_module(subject), subject.method))


def freeze_module(subject: Subject) -> Any:
    subject.require_forward("torch.jit.freeze makes constants of the weights, and a constant has no gradient")
    if not isinstance(subject.source, torch.nn.Module):
        raise Unsupported("torch.jit.freeze takes modules, and this model is a function")
    return torch.jit.freeze(torch.jit.script(subject.source))


def optimise_for_inference(subject: Subject) -> Call:
    subject.require_forward("torch.jit.optimize_for_inference needs frozen weights, and a constant has no gradient")
    return torch.jit.optimize_for_inference(freeze_module(subject))


def freeze_call(subject: Subject) -> Call:
    return subject.flatten(freeze_module(subject))


def optimise_call(subject: Subject) -> Call:
    return subject.flatten(optimise_for_inference(subject))


MODES: Modes = {
    "trace": (("trace", trace_method),),
    "script": (("compile", script_method),),
    "script-freeze": (("compile", freeze_call),),
    "script-optimized": (("compile", optimise_call),),
}
