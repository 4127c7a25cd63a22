"""A small convolutional network in JAX, as functions of its weights. With stride 1, SAME is one zero on each side."""

import jax.numpy as jnp
from jax import Array, lax, nn

from workers.interfaces import Parameters


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array], *, channels_first: bool = False) -> None:
        self.weights, self.channels_first = weights, channels_first

    def __call__(self, x: Array, labels: Array) -> Array:
        for layer in (0, 1):
            bias = self.weights[f"b_{layer}"]
            bias = bias[:, None, None] if self.channels_first else bias
            x = self.pooled(nn.relu(self.convolved(x, self.weights[f"K_{layer}"]) + bias))
        # The weights of the last layer have the reference's order.
        x = x.transpose(0, 2, 3, 1) if self.channels_first else x
        return x.reshape(len(x), -1) @ self.weights["W"].T + self.weights["b"]

    def loss(self, x: Array, labels: Array) -> Array:
        log_p = nn.log_softmax(self(x, labels))
        return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], axis=1))

    def convolved(self, x: Array, kernel: Array) -> Array:
        order = "NCHW" if self.channels_first else "NHWC"
        return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=(order, "HWIO", order))

    def pooled(self, x: Array) -> Array:
        window = (1, 1, 2, 2) if self.channels_first else (1, 2, 2, 1)
        return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
