"""Models with nested outputs, as modules that return one tuple of tensors: only these can be traced and exported."""

from typing import Any

import torch

from workers.outputs import flatten_outputs


class FlatModule(torch.nn.Module):
    """A model whose outputs are flattened."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Any) -> tuple[Any, ...]:
        return flatten_module_outputs(self.model(*inputs))


def flatten_module_outputs(made: Any) -> tuple[Any, ...]:
    """Return all tensors of a model's outputs, by PyTorch's own trees for types that only these know."""
    return flatten_outputs(made, torch.utils._pytree.tree_leaves)  # noqa: SLF001 (there is no public name for it)


def has_nested_outputs(model: Any, example: tuple[Any, ...]) -> bool:
    """Return whether a model returns anything but a tensor or a tuple of tensors. This calls it once."""
    made = model(*example)
    return not all(isinstance(each, torch.Tensor) for each in (made if isinstance(made, tuple) else (made,)))
