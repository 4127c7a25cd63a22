"""A transformer decoder of Hugging Face, from its configuration."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel


def build() -> torch.nn.Module:
    return GPT2LMHeadModel(GPT2Config(vocab_size=500, n_embd=64, n_layer=2, n_head=4, n_positions=64))


def inputs(batch: int = 1, length: int = 16) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.randint(0, 500, (batch, length))}
