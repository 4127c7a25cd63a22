"""Rows of a table, gathered by indices and summed into bins, in TensorFlow."""

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.bins, self.pairs = parameters["bins"], parameters["pairs"]
        self.table = tf.Variable(weights["table"])
        self.weights = [self.table]

    def __call__(self, pairs: tf.Tensor, bins: tf.Tensor) -> tf.Tensor:
        left, right = tf.unstack(tf.gather(self.table, pairs), axis=1)
        return tf.math.unsorted_segment_sum(left * right, bins, self.bins)

    def loss(self, pairs: tf.Tensor, bins: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.square(self(pairs, bins))) / (pairs.shape[0] // self.pairs)
