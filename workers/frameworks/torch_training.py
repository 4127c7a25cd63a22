"""Training in PyTorch: a loss, its backward pass, and an optimiser of `torch.optim`.

The optimiser runs unchanged in every mode: as in most programs, only the loss is traced, scripted or compiled.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from schemas.job import Task
from workers.errors import Malformed
from workers.interfaces import Step, is_running
from workers.references.optimisers import ADAM_RATE, BETAS, EPSILON, MOMENTUM, SGD_RATE

OPTIMISERS: dict[Task, Callable[..., Any]] = {
    "train-sgd": partial(torch.optim.SGD, lr=SGD_RATE, momentum=MOMENTUM),
    "train-adam": partial(torch.optim.Adam, lr=ADAM_RATE, betas=BETAS, eps=EPSILON),
}


class TorchTrainer:
    """A model's parameters and buffers, and the optimiser that updates them.

    `running` are the names and shapes of the reference's statistics, which some of the buffers hold; None: all do.
    """

    def __init__(self, model: Any, task: Task, running: Mapping[str, Sequence[int]] | None) -> None:
        self._tensors = [*model.parameters(), *model.buffers()]
        self._state = [
            *model.parameters(),
            *(model.buffers() if running is None else select_statistics(model, running)),
        ]
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
        """Return the parameters, then the statistics."""
        return tuple(self._state)

    def restart(self) -> None:
        """Restore the initial tensors, and clear the optimiser's state, so that it starts anew."""
        with torch.no_grad():
            for tensor, first in zip(self._tensors, self._first, strict=True):
                tensor.copy_(first)
        self._optimiser.state.clear()


def select_statistics(model: Any, running: Mapping[str, Sequence[int]]) -> list[Any]:
    """Return the buffers that hold the reference's statistics: by their names, or else by kind and order.

    A model may have other buffers, such as a mask or the number of batches that BatchNorm has seen.

    Raises:
        Malformed: there are other statistics than the reference's.
    """
    floating = {name: each for name, each in model.named_buffers() if each.is_floating_point()}
    found = choose_statistics(floating, running)
    if [tuple(each.shape) for each in found] != [tuple(shape) for shape in running.values()]:
        shapes = ", ".join(str(tuple(each.shape)) for each in found)
        raise Malformed(
            f"Model has buffers of the shapes {shapes or 'none'}, but reference.py draws the statistics "
            f"{', '.join(running)}; register a buffer for each, with its name or in this order"
        )
    return found


def choose_statistics(buffers: Mapping[str, Any], running: Mapping[str, Sequence[int]]) -> list[Any]:
    """Return the buffers with the names of the statistics, else those that such names end, else all."""
    if running.keys() <= buffers.keys():
        return [buffers[name] for name in running]
    kept = [each for name, each in buffers.items() if is_running(name)]
    return kept if len(kept) == len(running) else [*buffers.values()]
