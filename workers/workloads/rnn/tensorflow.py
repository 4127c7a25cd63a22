"""A recurrent network along a sequence in TensorFlow: the loop becomes a while loop of the graph."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.W_h = tf.Variable(weights["W_h"])
        self.W_x = tf.Variable(weights["W_x"])
        self.weights = [self.W_h, self.W_x]

    def __call__(self, xs: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
        for x in xs:
            h = tf.tanh(tf.matmul(h, self.W_h, transpose_b=True) + tf.matmul(x, self.W_x, transpose_b=True))
        return h

    def loss(self, xs: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self(xs, h))
