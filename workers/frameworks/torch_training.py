"""Training in PyTorch: a loss, its backward pass, and an optimiser of `torch.optim`.

The optimiser runs unchanged in every mode: as in most programs, only the loss is traced, scripted or compiled.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from schemas.job import Task
from workers.interfaces import Step
from workers.references.optimisers import ADAM_RATE, BETAS, EPSILON, MOMENTUM, SGD_RATE

OPTIMISERS: dict[Task, Callable[..., Any]] = {
    "train-sgd": partial(torch.optim.SGD, lr=SGD_RATE, momentum=MOMENTUM),
    "train-adam": partial(torch.optim.Adam, lr=ADAM_RATE, betas=BETAS, eps=EPSILON),
}


class TorchTrainer:
    """A model's parameters and buffers, and the optimiser that updates them."""

    def __init__(self, model: Any, task: Task) -> None:
        self._tensors = [*model.parameters(), *model.buffers()]
        # Copies, because the optimiser changes the tensors in place.
        self._first = [tensor.detach().clone() for tensor in self._tensors]
        self._optimiser = OPTIMISERS[task](list(model.parameters()))

    def make_step(self, loss_of: Callable[..., Any]) -> Step:
        """Build one step of training with this loss."""
        optimiser = self._optimiser

        def step(*inputs: Any) -> tuple[Any, ...]:
            # A gradient of the last step would be added to.
            optimiser.zero_grad(set_to_none=True)
            loss = loss_of(*inputs)
            loss.backward()
            optimiser.step()
            return (loss,)

        return step

    def state(self) -> tuple[Any, ...]:
        """Return the parameters, then the buffers."""
        return tuple(self._tensors)

    def restart(self) -> None:
        """Restore the initial tensors, and clear the optimiser's state, so that it starts anew."""
        with torch.no_grad():
            for tensor, first in zip(self._tensors, self._first, strict=True):
                tensor.copy_(first)
        self._optimiser.state.clear()
