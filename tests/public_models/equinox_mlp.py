"""A multilayer perceptron of equinox, for a batch of examples."""

from collections.abc import Callable

import equinox as eqx
import jax


def build() -> tuple[Callable[..., jax.Array], eqx.Module]:
    return lambda net, x: jax.vmap(net)(x), eqx.nn.MLP(16, 4, width_size=64, depth=3, key=jax.random.key(0))


def inputs(batch: int = 4) -> jax.Array:
    return jax.random.normal(jax.random.key(1), (batch, 16))
