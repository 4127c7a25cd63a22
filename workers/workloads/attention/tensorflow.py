"""One layer of self-attention in TensorFlow."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.heads, self.head_width = parameters["heads"], parameters["head_width"]
        self.W, self.b = tf.Variable(weights["W"]), tf.Variable(weights["b"])
        self.weights = [self.W, self.b]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        batch, length, width = x.shape
        projected = tf.tensordot(x, self.W, [[2], [1]]) + self.b
        each = tf.reshape(projected, [batch, length, 3, self.heads, self.head_width])
        q, k, v = tf.unstack(tf.transpose(each, [2, 0, 3, 1, 4]))
        shares = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * self.head_width**-0.5)
        return tf.reshape(tf.transpose(tf.matmul(shares, v), [0, 2, 1, 3]), [batch, length, width])

    def loss(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.square(self(x)))
