"""An encoder with a decoder of Hugging Face, from its configuration."""

import torch
from transformers import T5Config, T5Model


def build() -> torch.nn.Module:
    return T5Model(T5Config(vocab_size=500, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4))


def inputs(batch: int = 1, length: int = 16) -> dict[str, torch.Tensor]:
    return {name: torch.randint(0, 500, (batch, length)) for name in ("input_ids", "decoder_input_ids")}
