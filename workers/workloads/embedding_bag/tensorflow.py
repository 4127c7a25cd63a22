"""A recommendation network in TensorFlow: rows are gathered and added up, and one batched product covers all pairs."""

from itertools import combinations

import tensorflow as tf

from workers.interfaces import Parameters


class Model(tf.Module):
    def __init__(self, parameters: Parameters, weights: dict[str, tf.Tensor]) -> None:
        super().__init__()
        self.weights = [tf.Variable(weight) for weight in weights.values()]
        self.tables = self.weights[: parameters["tables"]]
        self.pairs = list(combinations(range(1 + parameters["tables"]), 2))

    def __call__(self, dense: tf.Tensor, indices: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        W_d, b_d, W_1, b_1, W_2, b_2 = self.weights[-6:]
        first = tf.nn.relu(tf.matmul(dense, W_d, transpose_b=True) + b_d)
        bags = [tf.reduce_sum(tf.gather(table, indices[:, number]), axis=1) for number, table in enumerate(self.tables)]
        stacked = tf.stack([first, *bags], axis=1)
        products = tf.transpose(
            tf.gather_nd(tf.transpose(tf.matmul(stacked, stacked, transpose_b=True), [1, 2, 0]), self.pairs)
        )
        above = tf.nn.relu(tf.matmul(tf.concat([first, products], axis=1), W_1, transpose_b=True) + b_1)
        return tf.squeeze(tf.matmul(above, W_2, transpose_b=True) + b_2, axis=1)

    def loss(self, dense: tf.Tensor, indices: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        logits = self(dense, indices, labels)
        right = tf.cast(labels, logits.dtype)
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=right, logits=logits))
