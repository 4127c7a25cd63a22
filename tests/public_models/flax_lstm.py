"""A recurrent layer of flax.linen with LSTM cells."""

import jax
from flax import linen as nn


def build() -> nn.Module:
    return nn.RNN(nn.OptimizedLSTMCell(features=32), return_carry=True)


def inputs(batch: int = 2, length: int = 10) -> jax.Array:
    return jax.random.normal(jax.random.key(1), (batch, length, 16))
