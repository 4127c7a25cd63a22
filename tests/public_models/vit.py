"""A vision transformer of Hugging Face, from its configuration."""

import torch
from transformers import ViTConfig, ViTModel


def build() -> torch.nn.Module:
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    return ViTModel(ViTConfig(image_size=32, patch_size=8, **sizes))


def inputs(batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 3, 32, 32)
