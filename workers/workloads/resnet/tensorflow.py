"""A residual network in TensorFlow."""

from itertools import product

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    """A residual network. `statistics` is `running`, `batch`, or `moving`: the batch's, which move the running ones."""

    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.large_stem = bool(parameters["large_stem"])
        self.stem = Unit(weights, "stem", 2 if self.large_stem else 1)
        self.blocks = [
            Block(weights, f"{stage}_{block}", 2 if stage and not block else 1)
            for stage, block in product(range(4), range(parameters["blocks"]))
        ]
        self.W, self.b = tf.Variable(weights["W"]), tf.Variable(weights["b"])
        units = [self.stem, *(unit for block in self.blocks for unit in block.units)]
        self.weights = [*(weight for unit in units for weight in (unit.K, unit.gain, unit.shift)), self.W, self.b]
        self.running = [each for unit in units for each in (unit.mean, unit.variance)]

    def network(self, x: tf.Tensor, statistics: str) -> tf.Tensor:
        x = tf.nn.relu(self.stem(x, statistics))
        if self.large_stem:
            x = tf.nn.max_pool2d(x, 3, 2, same(3))
        for block in self.blocks:
            x = block(x, statistics)
        return tf.matmul(tf.reduce_mean(x, [1, 2]), self.W, transpose_b=True) + self.b

    def __call__(self, x: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return self.network(x, "running")

    def loss(self, x: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return cross_entropy(self.network(x, "batch"), labels)

    def training_loss(self, x: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return cross_entropy(self.network(x, "moving"), labels)


class Block(tf.Module):
    def __init__(self, weights: dict[str, tf.Tensor], name: str, stride: int) -> None:
        super().__init__()
        self.first = Unit(weights, f"{name}_1", stride)
        self.second = Unit(weights, f"{name}_2", 1)
        self.shortcut = Unit(weights, f"{name}_shortcut", stride) if f"K_{name}_shortcut" in weights else None
        self.units = [unit for unit in (self.first, self.second, self.shortcut) if unit is not None]

    def __call__(self, x: tf.Tensor, statistics: str) -> tf.Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x, statistics)
        inner = tf.nn.relu(self.first(x, statistics))
        return tf.nn.relu(self.second(inner, statistics) + shortcut)


class Unit(tf.Module):
    """A convolution and a batch normalisation."""

    def __init__(self, weights: dict[str, tf.Tensor], name: str, stride: int) -> None:
        super().__init__()
        self.stride, self.padding = stride, same(weights[f"K_{name}"].shape[0])
        self.K = tf.Variable(weights[f"K_{name}"])
        self.gain, self.shift = tf.Variable(weights[f"gain_{name}"]), tf.Variable(weights[f"shift_{name}"])
        self.mean = tf.Variable(weights[f"running_mean_{name}"], trainable=False)
        self.variance = tf.Variable(weights[f"running_variance_{name}"], trainable=False)

    def __call__(self, x: tf.Tensor, statistics: str) -> tf.Tensor:
        x = tf.nn.conv2d(x, self.K, self.stride, self.padding)
        if statistics == "running":
            return tf.nn.batch_normalization(x, self.mean, self.variance, self.shift, self.gain, 1e-5)
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        if statistics == "moving":
            number = x.shape[0] * x.shape[1] * x.shape[2]
            self.mean.assign(0.9 * self.mean + 0.1 * mean)
            # Unlike the batch's variance, the running one is unbiased, as in PyTorch.
            self.variance.assign(0.9 * self.variance + 0.1 * number / (number - 1) * variance)
        return tf.nn.batch_normalization(x, mean, variance, self.shift, self.gain, 1e-5)


def same(size: int) -> list[list[int]]:
    """Return equal padding on both sides, for every stride."""
    return [[0, 0], [size // 2, size // 2], [size // 2, size // 2], [0, 0]]


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
