"""The attention of flax.linen over a batch of sequences, with dropout."""

import jax
from flax import linen as nn


def build() -> nn.Module:
    return nn.MultiHeadDotProductAttention(num_heads=4, dropout_rate=0.1)


def inputs(batch: int = 2, length: int = 12) -> jax.Array:
    return jax.random.normal(jax.random.key(1), (batch, length, 32))
