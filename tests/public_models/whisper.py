"""A speech recogniser of Hugging Face, from its configuration."""

import torch
from transformers import WhisperConfig, WhisperModel


def build() -> torch.nn.Module:
    layers = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes = {"d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_source_positions": 50, "vocab_size": 500}
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 3}
    return WhisperModel(WhisperConfig(num_mel_bins=16, **layers, **sizes, **special))


def inputs(batch: int = 1) -> dict[str, torch.Tensor]:
    return {"input_features": torch.randn(batch, 16, 100), "decoder_input_ids": torch.randint(4, 500, (batch, 8))}
