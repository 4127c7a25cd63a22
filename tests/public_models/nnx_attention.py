"""The attention of flax.nnx over a batch of sequences, with dropout."""

import jax
from flax import nnx


def build() -> nnx.Module:
    return nnx.MultiHeadAttention(4, in_features=32, dropout_rate=0.1, decode=False, rngs=nnx.Rngs(0))


def inputs(batch: int = 2, length: int = 12) -> jax.Array:
    return jax.random.normal(jax.random.key(1), (batch, length, 32))
