"""A mixture of experts of Hugging Face, from its configuration."""

import torch
from transformers import MixtralConfig, MixtralModel


def build() -> torch.nn.Module:
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    return MixtralModel(MixtralConfig(vocab_size=500, num_key_value_heads=2, num_local_experts=4, **sizes))


def inputs(batch: int = 1, length: int = 16) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.randint(0, 500, (batch, length))}
