"""The autoencoder of a diffusion model of Hugging Face."""

import torch
from diffusers import AutoencoderKL


def build() -> torch.nn.Module:
    return AutoencoderKL(block_out_channels=(32,), norm_num_groups=8, sample_size=32)


def inputs(batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 3, 32, 32)
