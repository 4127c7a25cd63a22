"""The attention of equinox over one sequence, by itself."""

import equinox as eqx
import jax


def build() -> eqx.Module:
    return eqx.nn.MultiheadAttention(num_heads=4, query_size=32, use_key_bias=True, key=jax.random.key(0))


def inputs(length: int = 12) -> tuple[jax.Array, ...]:
    return (jax.random.normal(jax.random.key(1), (length, 32)),) * 3
