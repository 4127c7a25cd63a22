"""A decoder of x-transformers."""

import torch
from x_transformers import Decoder, TransformerWrapper


def build() -> torch.nn.Module:
    return TransformerWrapper(num_tokens=500, max_seq_len=64, attn_layers=Decoder(dim=64, depth=2, heads=4))


def inputs(batch: int = 1, length: int = 16) -> torch.Tensor:
    return torch.randint(0, 500, (batch, length))
