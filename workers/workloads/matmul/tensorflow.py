"""One matrix product in TensorFlow."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.W = tf.Variable(weights["W"])
        self.weights = [self.W]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(x, self.W)

    def loss(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.square(self(x)))
