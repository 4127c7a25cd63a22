"""One step of a recurrent network in TensorFlow."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.W_h = tf.Variable(weights["W_h"])
        self.W_x = tf.Variable(weights["W_x"])
        self.weights = [self.W_h, self.W_x]

    def __call__(self, x: tf.Tensor, prev_h: tf.Tensor) -> tf.Tensor:
        h2h = tf.matmul(self.W_h, prev_h, transpose_b=True)
        i2h = tf.matmul(self.W_x, x, transpose_b=True)
        return tf.tanh(h2h + i2h)

    def loss(self, x: tf.Tensor, prev_h: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self(x, prev_h))
