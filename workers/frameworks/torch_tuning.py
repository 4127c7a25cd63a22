"""Tunings of PyTorch: oneDNN, and the order in which tensors of four dimensions lie in memory."""

from collections.abc import Callable
from typing import Any

import torch

from schemas.tuning import Tuning
from workers.errors import Unsupported

CHANNELS_LAST = "channels_last"


def apply_tuning(tuning: Tuning) -> None:
    """Apply what is a setting of the whole process."""
    if tuning == "no-onednn":
        torch.backends.mkldnn.enabled = False


def choose_arrangement(tuning: Tuning) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function that arranges a weight or an input in memory."""
    return arrange_tensor if tuning == "channels-last" else lambda tensor: tensor


def arrange_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor of four dimensions with its channels last, and any other as it is."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor


def arrange_module(module: Any) -> None:
    """Arrange all weights and buffers of four dimensions in a module.

    Raises:
        Unsupported: it has none.
    """
    if not list_arranged(module):
        raise Unsupported("it has no weight of four dimensions, whose channels could be last")
    module.to(memory_format=torch.channels_last)


def read_arrangement(module: Any) -> str:
    """Return how the weights of four dimensions lie in memory."""
    are_last = [each.is_contiguous(memory_format=torch.channels_last) for each in list_arranged(module)]
    return CHANNELS_LAST if all(are_last) else "contiguous"


def list_arranged(module: Any) -> list[torch.Tensor]:
    """Return the weights of four dimensions."""
    return [each for each in module.parameters() if each.dim() == 4]
