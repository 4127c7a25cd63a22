"""torch.compile ahead of time: `aot_compile` captures and compiles one graph for a set of inputs before any call."""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from workers.errors import Unsupported
from workers.frameworks.torch_aot import list_open_axes, summarise_capture
from workers.frameworks.torch_compile import require_compiler
from workers.frameworks.torch_mode import Call, Modes, Subject


def compile_ahead(subject: Subject) -> Call:
    """Compile the method, with the model as the first argument of what is compiled."""
    return bind_model(compile_function(subject), subject)


def compile_function(subject: Subject) -> Any:
    """Compile the method as a function of the model and its inputs, with every axis open whose size the inputs decide.

    With gradients on, its backward graph is compiled too.

    Raises:
        Unsupported: the method is not one graph, or the graph would hold for the example's sizes only.
    """
    require_compiler()
    from torch._dynamo import exc
    from torch.fx.experimental.symbolic_shapes import ConstraintViolationError, GuardOnDataDependentSymNode

    try:
        return choose_compilable(subject).aot_compile((mark_open_axes(subject), {}))
    except (ConstraintViolationError, GuardOnDataDependentSymNode, exc.UserError) as error:
        # Dynamo puts advice before the message of such an error, and keeps the error itself as the context.
        cause = error.__context__ if isinstance(error.__context__, GuardOnDataDependentSymNode) else error
        said = summarise_capture(cause)
        raise Unsupported(f"aot_compile cannot leave open what the inputs decide: {said}") from error
    except exc.Unsupported as error:
        raise Unsupported(f"aot_compile needs one graph of the whole: {summarise_capture(error)}") from error


def choose_compilable(subject: Subject) -> Any:
    """Return what has the function `aot_compile`; for `forward` that of the module, which runs its hooks too."""
    if subject.method == "forward":
        return torch.compile(subject.model, fullgraph=True, dynamic=False).forward
    return torch.compile(getattr(subject.model, subject.method), fullgraph=True, dynamic=False)


def mark_open_axes(subject: Subject) -> tuple[Any, ...]:
    """Return the example with its open axes marked, on tensors that share its memory but not its marks."""
    from torch._dynamo import mark_dynamic

    marked = tuple(each.detach() for each in subject.example)
    for tensor, axes in zip(marked, list_open_axes(subject), strict=True):
        for axis in axes:
            mark_dynamic(tensor, axis)
    return marked


def bind_model(compiled: Any, subject: Subject) -> Call:
    return partial(compiled, subject.model)


def write_function(compiled: Any, path: Path) -> None:
    compiled.save_compiled_function(str(path))


def read_function(path: Path) -> Any:
    with path.open("rb") as file:
        return torch.compiler.load_compiled_function(file)


MODES: Modes = {"aot-compile": (("compile", compile_ahead),)}
