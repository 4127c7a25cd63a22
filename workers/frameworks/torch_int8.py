"""PyTorch's dynamic quantisation: weights in 8 bits, and ranges of the other operand found in each call."""

from typing import Any

import torch

from workers.errors import Unsupported
from workers.frameworks.torch_mode import Call, Modes, Subject

# The package of the modules that take the place of linear and recurrent ones.
QUANTISED_PACKAGE = "torch.ao.nn.quantized"


def quantise_module(subject: Subject) -> Call:
    """Return the call of a copy of the model whose linear and recurrent modules compute in 8 bits."""
    subject.require_forward("quantised weights are integers, which have no gradient")
    if not isinstance(subject.source, torch.nn.Module):
        raise Unsupported("quantize_dynamic takes modules, and this model is a function")
    # Imported only here: other modes would pay for its import.
    from torch.ao.quantization import quantize_dynamic

    made = quantize_dynamic(subject.source)
    if not is_quantised(made):
        raise Unsupported(
            "quantize_dynamic replaces modules such as nn.Linear and nn.LSTM, and this model has none; "
            "choose torch:eager"
        )
    return subject.flatten(made)


def is_quantised(module: Any) -> bool:
    """Return whether any part of a module computes in 8 bits."""
    return any(type(each).__module__.startswith(QUANTISED_PACKAGE) for each in module.modules())


MODES: Modes = {"int8-dynamic": (("compile", quantise_module),)}
