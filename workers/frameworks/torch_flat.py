"""Models with nested inputs or outputs, as modules of tensors alone: only these can be traced and exported."""

from collections.abc import Callable
from typing import Any

import torch

from workers.outputs import flatten_outputs

Arrange = Callable[[tuple[Any, ...]], tuple[tuple[Any, ...], dict[str, Any]]]


class FlatModule(torch.nn.Module):
    """A model that takes tensors alone, which `arrange` makes its arguments of, and returns a tuple of tensors."""

    def __init__(
        self,
        model: Any,
        arrange: Arrange = lambda inputs: (inputs, {}),
        flatten: Callable[[Any], tuple[Any, ...]] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.arrange, self.flatten = model, arrange, flatten or flatten_module_outputs

    def forward(self, *inputs: Any) -> tuple[Any, ...]:
        arguments, named = self.arrange(inputs)
        return self.flatten(self.model(*arguments, **named))


def flatten_module_outputs(made: Any) -> tuple[Any, ...]:
    """Return all tensors of a model's outputs, by PyTorch's own trees for types that only these know."""
    return flatten_outputs(made, torch.utils._pytree.tree_leaves)  # noqa: SLF001 (there is no public name for it)


def has_nested_outputs(model: Any, example: tuple[Any, ...]) -> bool:
    """Return whether a model returns anything but a tensor or a tuple of tensors. This calls it once."""
    made = model(*example)
    return not all(isinstance(each, torch.Tensor) for each in (made if isinstance(made, tuple) else (made,)))
