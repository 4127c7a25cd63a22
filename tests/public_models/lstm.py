"""A recurrent layer of PyTorch, bare: a call returns a tensor and a tuple of two."""

import torch


def build() -> torch.nn.Module:
    return torch.nn.LSTM(8, 16)


def inputs(batch: int = 1, length: int = 12) -> torch.Tensor:
    return torch.randn(length, batch, 8)
