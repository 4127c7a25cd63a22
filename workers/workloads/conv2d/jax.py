"""One convolution of images in JAX, as functions of its kernel."""

import jax.numpy as jnp
from jax import Array, lax

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array], *, channels_first: bool = False) -> None:
        self.weights, self.order = weights, "NCHW" if channels_first else "NHWC"

    def __call__(self, x: Array) -> Array:
        order = (self.order, "HWIO", self.order)
        return lax.conv_general_dilated(x, self.weights["W"], (1, 1), ((1, 1), (1, 1)), dimension_numbers=order)

    def loss(self, x: Array) -> Array:
        return jnp.mean(jnp.square(self(x)))
