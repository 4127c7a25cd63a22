"""Reductions along both axes of a matrix in TensorFlow."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.centre = tf.Variable(weights["centre"])
        self.weights = [self.centre]

    def __call__(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        square = tf.square(x - self.centre)
        return tf.reduce_mean(square, axis=0), tf.reduce_max(square, axis=-1)

    def loss(self, x: tf.Tensor) -> tf.Tensor:
        means, largest = self(x)
        return tf.reduce_sum(means) + tf.reduce_mean(largest)
