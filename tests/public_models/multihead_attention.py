"""An attention layer of PyTorch, bare: a call takes three tensors and returns two."""

import torch


def build() -> torch.nn.Module:
    return torch.nn.MultiheadAttention(32, 4, batch_first=True)


def inputs(batch: int = 1, length: int = 12) -> tuple[torch.Tensor, ...]:
    return tuple(torch.randn(batch, length, 32) for _ in range(3))
