"""A convolutional network of Hugging Face, from its configuration."""

import torch
from transformers import ConvNextConfig, ConvNextModel


def build() -> torch.nn.Module:
    return ConvNextModel(ConvNextConfig(hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1]))


def inputs(batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 3, 64, 64)
