"""A residual network in JAX, as functions of its weights. `normalise` takes the maps of a unit, and the unit's name."""

from collections.abc import Callable
from itertools import product

import jax.numpy as jnp
from jax import Array, lax, nn

from workers.interfaces import Parameters

Normalise = Callable[[Array, str], Array]


class Model:
    def __init__(self, parameters: Parameters, weights: dict[str, Array], *, channels_first: bool = False) -> None:
        self.parameters, self.weights, self.channels_first = parameters, weights, channels_first
        self.places = (2, 3) if channels_first else (1, 2)

    def network(self, x: Array, normalise: Normalise) -> Array:
        large_stem = self.parameters["large_stem"]
        x = nn.relu(self.unit(x, "stem", 2 if large_stem else 1, normalise))
        x = self.pooled(x) if large_stem else x
        for stage, block in product(range(4), range(self.parameters["blocks"])):
            x = self.block(x, f"{stage}_{block}", 2 if stage and not block else 1, normalise)
        return jnp.mean(x, self.places) @ self.weights["W"].T + self.weights["b"]

    def block(self, x: Array, name: str, stride: int, normalise: Normalise) -> Array:
        has_unit = f"K_{name}_shortcut" in self.weights
        shortcut = self.unit(x, f"{name}_shortcut", stride, normalise) if has_unit else x
        inner = nn.relu(self.unit(x, f"{name}_1", stride, normalise))
        return nn.relu(self.unit(inner, f"{name}_2", 1, normalise) + shortcut)

    def unit(self, x: Array, name: str, stride: int, normalise: Normalise) -> Array:
        maps = normalise(self.convolved(x, self.weights[f"K_{name}"], stride), name)
        return maps * self.align(self.weights[f"gain_{name}"]) + self.align(self.weights[f"shift_{name}"])

    def __call__(self, x: Array, labels: Array) -> Array:
        def normalise(x: Array, name: str) -> Array:
            mean, variance = self.weights[f"running_mean_{name}"], self.weights[f"running_variance_{name}"]
            return self.standardised(x, mean, variance)

        return self.network(x, normalise)

    def loss(self, x: Array, labels: Array) -> Array:
        return self.training_loss(x, labels)[0]

    def training_loss(self, x: Array, labels: Array) -> tuple[Array, dict[str, Array]]:
        """Return the loss and the updated running statistics, which jit drops if they are unused."""
        moved = {}

        def normalise(x: Array, name: str) -> Array:
            axes = (0, *self.places)
            mean, variance = jnp.mean(x, axes), jnp.var(x, axes)
            number = x.size // len(mean)
            for each, new in (("mean", mean), ("variance", number / (number - 1) * variance)):
                moved[f"running_{each}_{name}"] = 0.9 * self.weights[f"running_{each}_{name}"] + 0.1 * new
            return self.standardised(x, mean, variance)

        log_p = nn.log_softmax(self.network(x, normalise))
        return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], axis=1)), moved

    def standardised(self, x: Array, mean: Array, variance: Array) -> Array:
        return (x - self.align(mean)) * self.align(lax.rsqrt(variance + 1e-5))

    def align(self, values: Array) -> Array:
        """Return a value for each channel so that it meets the channels of images."""
        return values[:, None, None] if self.channels_first else values

    def convolved(self, x: Array, kernel: Array, stride: int) -> Array:
        padding = (len(kernel) // 2, len(kernel) // 2)
        order = "NCHW" if self.channels_first else "NHWC"
        return lax.conv_general_dilated(
            x, kernel, (stride, stride), (padding, padding), dimension_numbers=(order, "HWIO", order)
        )

    def pooled(self, x: Array) -> Array:
        window, strides, padding = (
            tuple(size if axis in self.places else none for axis in range(4))
            for size, none in ((3, 1), (2, 1), ((1, 1), (0, 0)))
        )
        return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, padding)
