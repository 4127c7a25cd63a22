"""A plain static network in TensorFlow."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.weights = [tf.Variable(weight) for weight in weights.values()]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        last = len(self.weights) // 2 - 1
        for layer in range(last + 1):
            weight, bias = self.weights[2 * layer], self.weights[2 * layer + 1]
            x = tf.matmul(x, weight, transpose_b=True) + bias
            if layer < last:
                x = tf.nn.relu(x)
        return x

    def loss(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.square(self(x)))
