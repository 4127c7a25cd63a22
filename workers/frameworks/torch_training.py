"""Training in PyTorch: a loss, its backward pass, and an optimiser of `torch.optim`.

The optimiser runs unchanged in every mode: as in most programs, only the loss is traced, scripted or compiled.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from schemas.job import Task
from workers.contract import OR_CHOOSE_OPTIMIZER
from workers.errors import Malformed
from workers.interfaces import Step, is_running
from workers.references.optimisers import ADAM_RATE, BETAS, EPSILON, MOMENTUM, SGD_RATE, WEIGHT_DECAY

OPTIMISERS: dict[Task, Callable[..., Any]] = {
    "train-sgd": partial(torch.optim.SGD, lr=SGD_RATE, momentum=MOMENTUM),
    "train-adam": partial(torch.optim.Adam, lr=ADAM_RATE, betas=BETAS, eps=EPSILON),
    "train-adamw": partial(torch.optim.AdamW, lr=ADAM_RATE, betas=BETAS, eps=EPSILON, weight_decay=WEIGHT_DECAY),
}


class TorchTrainer:
    """A model's parameters and buffers, and the optimiser that updates them.

    `make_optimiser` makes it of the parameters: one of `torch.optim`, or an object with its `zero_grad` and `step`.
    `running` are the names and shapes of the reference's statistics, which some of the buffers hold; None: all do.
    """

    def __init__(
        self, model: Any, make_optimiser: Callable[..., Any], running: Mapping[str, Sequence[int]] | None
    ) -> None:
        self._parameters = [*model.parameters()]
        self._tensors = [*self._parameters, *model.buffers()]
        self._state = [*self._parameters, *(model.buffers() if running is None else select_statistics(model, running))]
        # Copies, because the optimiser changes the tensors in place.
        self._first = [tensor.detach().clone() for tensor in self._tensors]
        self._make_optimiser = partial(make_optimiser, self._parameters)
        self._optimiser = self._make_optimiser()

    def make_step(self, loss_of: Callable[..., Any]) -> Step:
        """Build one step of training with this loss."""

        def step(*inputs: Any) -> tuple[Any, ...]:
            optimiser = self._optimiser
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

    def read_moments(self) -> tuple[Any, ...]:
        """Return what the optimiser keeps of each parameter, and the number of its steps, where it counts them."""
        kept = [self._optimiser.state[parameter] for parameter in self._parameters]
        names = ["momentum_buffer"] if isinstance(self._optimiser, torch.optim.SGD) else ["exp_avg", "exp_avg_sq"]
        # A parameter without a gradient has none.
        moments = [
            torch.zeros_like(parameter) if each.get(name) is None else each[name]
            for name in names
            for parameter, each in zip(self._parameters, kept, strict=True)
        ]
        steps = max(float(each.get("step", 0)) for each in kept)
        counted = [torch.tensor(steps, dtype=self._parameters[0].dtype)] if len(names) > 1 else []
        return (*moments, *counted)

    def restart(self) -> None:
        """Restore the initial tensors, and make the optimiser anew: it may keep its state anywhere."""
        with torch.no_grad():
            for tensor, first in zip(self._tensors, self._first, strict=True):
                tensor.copy_(first)
        self._optimiser = self._make_optimiser()


def check_optimiser(made: Any, place: str) -> Any:
    """Return the optimiser that a model's file has made, after checking that one call of `step` can train with it.

    Raises:
        Malformed: it is none, or its step computes the loss itself.
    """
    kind = type(made).__name__
    if not isinstance(made, torch.optim.Optimizer):
        raise Malformed(
            f"optimizer(parameters) must return an optimiser of torch.optim, not a value of type {kind}; return one, "
            f"{OR_CHOOSE_OPTIMIZER}",
            place,
        )
    closure = inspect.signature(made.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise Malformed(
            f"optimizer(parameters) returns {kind}, whose step(closure) computes the loss itself; return one whose "
            f"step() needs no closure, {OR_CHOOSE_OPTIMIZER}",
            place,
        )
    return made


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
