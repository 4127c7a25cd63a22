"""A state-space model of Hugging Face, from its configuration."""

import torch
from transformers import MambaConfig, MambaModel


def build() -> torch.nn.Module:
    return MambaModel(MambaConfig(vocab_size=500, hidden_size=32, state_size=8, num_hidden_layers=2))


def inputs(batch: int = 1, length: int = 16) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.randint(0, 500, (batch, length))}
