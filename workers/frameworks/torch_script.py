"""TorchScript, PyTorch's JIT compiler: traced, scripted, and scripted for inference alone."""

from typing import Any

import torch

from workers.frameworks.torch_mode import Call, Modes, Subject


def traced(subject: Subject) -> Any:
    return torch.jit.trace_module(subject.model, {subject.method: subject.example})


def trace(subject: Subject) -> Call:
    return getattr(traced(subject), subject.method)


def scripted(subject: Subject) -> Any:
    if subject.method != "forward":
        # torch.jit.script compiles `forward` alone, unless the class marks another method for export.
        kind = type(subject.model)
        setattr(kind, subject.method, torch.jit.export(getattr(kind, subject.method)))
    return torch.jit.script(subject.model)


def script(subject: Subject) -> Call:
    return getattr(scripted(subject), subject.method)


def freeze(subject: Subject) -> Call:
    subject.forward_only("torch.jit.freeze makes constants of the weights, and a constant has no gradient")
    return torch.jit.freeze(torch.jit.script(subject.model))


def optimize(subject: Subject) -> Call:
    subject.forward_only("torch.jit.optimize_for_inference needs frozen weights, and a constant has no gradient")
    return torch.jit.optimize_for_inference(freeze(subject))


MODES: Modes = {
    "trace": (("trace", trace),),
    "script": (("compile", script),),
    "script-freeze": (("compile", freeze),),
    "script-optimized": (("compile", optimize),),
}
