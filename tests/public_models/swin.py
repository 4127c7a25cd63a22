"""A transformer with shifted windows of Hugging Face, from its configuration."""

import torch
from transformers import SwinConfig, SwinModel


def build() -> torch.nn.Module:
    return SwinModel(
        SwinConfig(image_size=32, patch_size=2, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4)
    )


def inputs(batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 3, 32, 32)
