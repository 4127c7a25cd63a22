"""A residual network in TensorFlow."""

import math
from itertools import product

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    """A residual network. `statistics` is `running`, `batch`, or `moving`: the batch's, which move the running ones."""

    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor], *, channels_first: bool = False) -> None:
        super().__init__()
        self.large_stem, self.axes = bool(parameters["large_stem"]), Axes(channels_first=channels_first)
        self.stem = Unit(weights, "stem", 2 if self.large_stem else 1, self.axes)
        self.blocks = [
            Block(weights, f"{stage}_{block}", 2 if stage and not block else 1, self.axes)
            for stage, block in product(range(4), range(parameters["blocks"]))
        ]
        self.W, self.b = tf.Variable(weights["W"]), tf.Variable(weights["b"])
        units = [self.stem, *(unit for block in self.blocks for unit in block.units)]
        self.weights = [*(weight for unit in units for weight in (unit.K, unit.gain, unit.shift)), self.W, self.b]
        self.running = [each for unit in units for each in (unit.mean, unit.variance)]

    def network(self, x: tf.Tensor, statistics: str) -> tf.Tensor:
        x = tf.nn.relu(self.stem(x, statistics))
        if self.large_stem:
            x = tf.nn.max_pool2d(x, 3, 2, self.axes.same(3), self.axes.order)
        for block in self.blocks:
            x = block(x, statistics)
        return tf.matmul(tf.reduce_mean(x, self.axes.places), self.W, transpose_b=True) + self.b

    def __call__(self, x: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return self.network(x, "running")

    def loss(self, x: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return cross_entropy(self.network(x, "batch"), labels)

    def training_loss(self, x: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return cross_entropy(self.network(x, "moving"), labels)


class Axes:
    """The order of the axes of images."""

    def __init__(self, *, channels_first: bool) -> None:
        self.order = "NCHW" if channels_first else "NHWC"
        self.places = [2, 3] if channels_first else [1, 2]
        self.per_channel = [-1, 1, 1] if channels_first else [-1]

    def same(self, size: int) -> list[list[int]]:
        """Return equal padding on both sides, for every stride."""
        return [[size // 2, size // 2] if axis in self.places else [0, 0] for axis in range(4)]

    def align(self, values: tf.Tensor) -> tf.Tensor:
        """Return a value for each channel so that it meets the channels of images."""
        return tf.reshape(values, self.per_channel) if self.order == "NCHW" else values


class Block(tf.Module):
    def __init__(self, weights: dict[str, tf.Tensor], name: str, stride: int, axes: Axes) -> None:
        super().__init__()
        has_unit = f"K_{name}_shortcut" in weights
        self.first = Unit(weights, f"{name}_1", stride, axes)
        self.second = Unit(weights, f"{name}_2", 1, axes)
        self.shortcut = Unit(weights, f"{name}_shortcut", stride, axes) if has_unit else None
        self.units = [unit for unit in (self.first, self.second, self.shortcut) if unit is not None]

    def __call__(self, x: tf.Tensor, statistics: str) -> tf.Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x, statistics)
        inner = tf.nn.relu(self.first(x, statistics))
        return tf.nn.relu(self.second(inner, statistics) + shortcut)


class Unit(tf.Module):
    """A convolution and a batch normalisation."""

    def __init__(self, weights: dict[str, tf.Tensor], name: str, stride: int, axes: Axes) -> None:
        super().__init__()
        self.stride, self.axes, self.padding = stride, axes, axes.same(weights[f"K_{name}"].shape[0])
        self.K = tf.Variable(weights[f"K_{name}"])
        self.gain, self.shift = tf.Variable(weights[f"gain_{name}"]), tf.Variable(weights[f"shift_{name}"])
        self.mean = tf.Variable(weights[f"running_mean_{name}"], trainable=False)
        self.variance = tf.Variable(weights[f"running_variance_{name}"], trainable=False)

    def __call__(self, x: tf.Tensor, statistics: str) -> tf.Tensor:
        x = tf.nn.conv2d(x, self.K, self.stride, self.padding, self.axes.order)
        if statistics == "running":
            return self.normalise(x, self.mean, self.variance)
        mean, variance = tf.nn.moments(x, [0, *self.axes.places])
        if statistics == "moving":
            number = math.prod(x.shape[axis] for axis in (0, *self.axes.places))
            self.mean.assign(0.9 * self.mean + 0.1 * mean)
            # Unlike the batch's variance, the running one is unbiased, as in PyTorch.
            self.variance.assign(0.9 * self.variance + 0.1 * number / (number - 1) * variance)
        return self.normalise(x, mean, variance)

    def normalise(self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        aligned = map(self.axes.align, (mean, variance, self.shift, self.gain))
        return tf.nn.batch_normalization(x, *aligned, 1e-5)


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
