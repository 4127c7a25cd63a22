"""Training in PyTorch: a loss, its backward pass, and an optimiser of `torch.optim`.

The optimiser runs as it is, in every mode: what is traced, scripted or compiled is the loss, as in most programs.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from schemas.job import Task
from workers.frameworks import Step
from workers.optimisers import ADAM_RATE, BETAS, EPSILON, MOMENTUM, SGD_RATE

OPTIMISERS: dict[Task, Callable[..., Any]] = {
    "train-sgd": partial(torch.optim.SGD, lr=SGD_RATE, momentum=MOMENTUM),
    "train-adam": partial(torch.optim.Adam, lr=ADAM_RATE, betas=BETAS, eps=EPSILON),
}


class Trainer:
    """A model's parameters and buffers, and the optimiser that moves them."""

    def __init__(self, model: Any, task: Task) -> None:
        self._tensors = [*model.parameters(), *model.buffers()]
        self._first = [tensor.detach().clone() for tensor in self._tensors]
        self._optimiser = OPTIMISERS[task](list(model.parameters()))

    def step(self, loss_of: Callable[..., Any]) -> Step:
        """One step of training with this loss."""
        optimiser = self._optimiser

        def step(*inputs: Any) -> tuple[Any, ...]:
            optimiser.zero_grad(set_to_none=True)
            loss = loss_of(*inputs)
            loss.backward()
            optimiser.step()
            return (loss,)

        return step

    def state(self) -> tuple[Any, ...]:
        """Parameters, then buffers."""
        return tuple(self._tensors)

    def restart(self) -> None:
        """Without its state an optimiser begins anew."""
        with torch.no_grad():
            for tensor, first in zip(self._tensors, self._first, strict=True):
                tensor.copy_(first)
        self._optimiser.state.clear()
